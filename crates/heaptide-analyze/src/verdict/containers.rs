//! Channel B: does a block keep growing in step with the work?
//!
//! A map or vector that nobody removes from may be one object for ever; only its size doubles,
//! ever more rarely. What tells it from a container that is merely sized right is the schedule: a
//! leak doubles whenever the work has doubled, a healthy container becomes overdue. The fewest
//! bytes between snapshots are used, so a buffer that is only large for a moment does not count.

use serde::Serialize;

use super::work::Progress;
use super::{Class, Rate, Rule};
use crate::axis::Axis;
use crate::series::SiteSeries;

/// A step counts from this factor on, as it does in the recording.
const STEP: f64 = 1.2;
/// Fewer steps than this are no schedule.
const LEAST_STEPS: usize = 3;
/// Growth of fewer bytes than this over the last eight-fold of work is not worth a word.
const LEAST_BYTES: f64 = 4096.0;
/// Bytes grow at least like work to this power.
const LEAST_EXPONENT: f64 = 0.6;
/// Nothing that doubles pauses longer than until the work has grown by this factor.
const LONGEST_GAP: f64 = 2.0;
/// How much later than due the next step may be.
const GRACE: f64 = 1.1;

/// A step of a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ContainerStep {
    /// Work done until then.
    pub work: f64,
    /// Bytes held from then on.
    pub bytes: u64,
}

/// What the bytes of a site say.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Container {
    /// The class they give it.
    pub class: Class,
    /// For suspects: how many more snapshots decide.
    pub needs_snapshots: Option<u32>,
    /// Each time the bytes outgrew all before by a fifth.
    pub steps: Vec<ContainerStep>,
    /// The median factor of a step.
    pub factor: f64,
    /// Bytes grow like work to this power over the last eight-fold of work,
    pub exponent: f64,
    /// and over the last four-fold.
    pub late_exponent: f64,
    /// Work at the end of the run.
    pub work: f64,
    /// Work at which the next step is due.
    pub due: f64,
    /// Bytes at the end.
    pub bytes: u64,
    /// Bytes grown over the last eight-fold of work.
    pub grown_bytes: f64,
}

impl Container {
    /// Growth per unit of work: the bytes it has come to, over the work it took.
    pub(super) fn rate(&self, progress: &Progress) -> Rate {
        let per_op = if self.work > 0.0 { self.bytes as f64 / self.work } else { 0.0 };
        Rate {
            work: progress.name.clone(),
            objects_per_op: 0.0,
            bytes_per_op: per_op,
            // The true size lies within one step of the capacity.
            bytes_per_op_upper: per_op * self.factor.max(1.0),
            ops_per_hour: progress.per_hour,
        }
    }
}

pub(super) fn judge(
    axis: &Axis,
    rule: &Rule,
    progress: &Progress,
    series: &SiteSeries,
) -> Container {
    let Some(last) = axis.len().checked_sub(1) else { return Container::default() };
    let now = progress.at[last];
    let bytes = |slot: usize| series.row(slot).trough_bytes;
    let steps = steps(axis, progress, series);
    let factor = median_factor(&steps);
    // The last slot in which at most this share of the work was done: a window too long by a
    // slot is judged by its true length, one too short would miss a step.
    let before =
        |share: f64| progress.at.partition_point(|&work| work <= now * share).saturating_sub(1);
    let exponent = |share: f64| {
        let then = before(share);
        let span = now / progress.at[then];
        let grown = bytes(last).max(1) as f64 / bytes(then).max(1) as f64;
        if span > 1.0 && span.is_finite() { grown.ln() / span.ln() } else { 0.0 }
    };
    let mut container = Container {
        factor,
        exponent: exponent(1.0 / 8.0),
        late_exponent: exponent(1.0 / 4.0),
        work: now,
        due: due(&steps, factor),
        bytes: bytes(last),
        grown_bytes: bytes(last) as f64 - bytes(before(1.0 / 8.0)) as f64,
        steps,
        ..Container::default()
    };
    container.class = classify(&container, axis, rule, series, before(1.0 / 8.0));
    if container.class == Class::Suspect {
        let per_slot = now / axis.len() as f64;
        let slots = ((container.due - now) / per_slot.max(f64::MIN_POSITIVE)).ceil();
        container.needs_snapshots = Some(slots.clamp(1.0, 1e6) as u32);
    }
    container
}

fn steps(axis: &Axis, progress: &Progress, series: &SiteSeries) -> Vec<ContainerStep> {
    let mut steps: Vec<ContainerStep> = Vec::new();
    for slot in 0..axis.len() {
        let bytes = series.row(slot).trough_bytes;
        let before = steps.last().map_or(0.0, |step| step.bytes as f64);
        if bytes > 0 && bytes as f64 >= STEP * before {
            steps.push(ContainerStep { work: progress.at[slot], bytes });
        }
    }
    steps
}

/// The work at which the next step is due: a longest gap after the last. Shards that double one
/// after another take many small steps and then pause.
fn due(steps: &[ContainerStep], factor: f64) -> f64 {
    let Some(last) = steps.last() else { return 0.0 };
    let recent = |pair: &&[ContainerStep]| pair[0].work > 0.0 && pair[1].work * 8.0 >= last.work;
    let gaps = steps.windows(2).filter(recent).map(|pair| pair[1].work / pair[0].work);
    last.work * gaps.fold(factor, f64::max).min(LONGEST_GAP)
}

fn median_factor(steps: &[ContainerStep]) -> f64 {
    let factor = |pair: &[ContainerStep]| pair[1].bytes as f64 / pair[0].bytes as f64;
    let mut factors: Vec<f64> = steps.windows(2).map(factor).collect();
    factors.sort_by(f64::total_cmp);
    factors.get(factors.len() / 2).copied().unwrap_or(1.0)
}

fn classify(
    container: &Container,
    axis: &Axis,
    rule: &Rule,
    series: &SiteSeries,
    eighth: usize,
) -> Class {
    // The first step is the container's birth.
    let steps = container.steps.len().saturating_sub(1);
    let at_its_largest = container
        .steps
        .last()
        .is_some_and(|step| container.bytes as f64 >= 0.9 * step.bytes as f64);
    if container.grown_bytes < LEAST_BYTES || !at_its_largest || !blocks_grow(series, axis, eighth)
    {
        return Class::Stable;
    }
    if steps < LEAST_STEPS || container.work > GRACE * container.due {
        return Class::Settled;
    }
    if container.exponent < LEAST_EXPONENT {
        return Class::Saturating;
    }
    let proven = container.late_exponent >= LEAST_EXPONENT && axis.len() >= rule.least_slots;
    if proven { Class::Leak } else { Class::Suspect }
}

/// The mean block grows, not just the number of blocks: that is for the other channel to judge.
fn blocks_grow(series: &SiteSeries, axis: &Axis, eighth: usize) -> bool {
    let mean = |slot: usize| {
        let row = series.row(slot);
        row.trough_bytes as f64 / (row.trough_objects as f64).max(1.0)
    };
    let then = mean(eighth);
    then > 0.0 && mean(axis.len() - 1) >= 2.0 * then
}
