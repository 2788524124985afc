//! Channel B: does a block keep growing in step with the work?
//!
//! A map or vector that nobody removes from may be one object for ever; only its size doubles,
//! ever more rarely. What tells it from a container that is merely sized right is the schedule: a
//! leak doubles whenever the work has doubled, a healthy container becomes overdue. The fewest
//! bytes between snapshots are used, so a buffer that is only large for a moment does not count.

use std::iter;

use serde::Serialize;

use super::class::Class;
use super::counter::{self, Counter};
use super::rate::Rate;
use super::rule::Rule;
use crate::axis::Axis;
use crate::series::SiteSeries;

/// A step counts from this factor on, as it does in the recording (docs/FORMAT.md, `growth`).
const STEP: f64 = 1.2;
/// What grows by more than this at once was stuck or is loaded for once, and is on no schedule: a
/// table doubles, or quadruples where two steps fall into one slot.
const MOST_STEP: f64 = 4.5;
/// Fewer steps than this are no schedule: two gaps are needed to tell whether the next is overdue.
const LEAST_STEPS: usize = 3;
/// Of these, so many must have come when they were due since the growth last paused, unless its doublings
/// kept one rate: else nobody can say more than that the container holds more than ever, and so does a
/// table that remembers the high water of a load.
const LEAST_ON_SCHEDULE: usize = 2;
/// A leak must have doubled so often at one rate: eight times as large, and no slower for it,
const LEAST_DOUBLINGS: usize = 3;
/// give or take this factor,
const UNEVEN: f64 = 1.25;
/// or this one where many containers grow, each when its turn comes,
const UNEVEN_OF_MANY: f64 = 2.0;
/// so that the steps of all are smaller than this.
const STEP_OF_ONE: f64 = 1.75;
/// What is at most this share was half as large: tables keep a few bytes for themselves.
const HALF: f64 = 0.51;
/// Growth of fewer bytes than this over the last eight-fold of work is no leak yet: it is a page.
const LEAST_BYTES: f64 = 4096.0;
/// Growth of fewer bytes than this is not worth a word.
const FEWEST_BYTES: f64 = 1024.0;
/// Bytes must grow at least like work to this power, also beside the load. A leak grows like work to
/// the power of one, less a third where one of the three doublings of an eight-fold is not seen;
/// the high water of a random walk grows like the square root.
const LEAST_EXPONENT: f64 = 0.6;
/// The bytes that the last step came to must still be held to this share, else it was a peak.
const STILL_HELD: f64 = 0.9;
/// The mean block must grow by this factor, else it is blocks that grow in number.
const LEAST_BLOCK_GROWTH: f64 = 2.0;
/// Nothing that doubles pauses longer than until the work has grown by this factor.
const LONGEST_GAP: f64 = 2.0;
/// How much later than due the next step may be: snapshots see it up to a slot late.
const GRACE: f64 = 1.1;
/// Steady growth goes on over this share of the work at least; a backlog is built up in less.
const LEAST_SPAN: f64 = 0.25;
/// What a container was filled with says how fast it grows over so large a factor of its bytes.
const SPAN: f64 = 8.0;
/// The snapshots that are missing are never said to be more than this.
const MOST_NEEDED: f64 = 1e6;

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
    /// Bytes grow like work to this power over the last eight-fold of work.
    pub exponent: f64,
    /// Bytes grow like work to this power over the last four-fold of work.
    pub late_exponent: f64,
    /// The peak load grew like work to this power over the last eight-fold of work. The load of
    /// another counter stands in if it explains the bytes and grew more; 0 if no load is known.
    pub load_exponent: f64,
    /// The same over the last four-fold of work.
    pub late_load_exponent: f64,
    /// Whether a load is known.
    #[serde(skip)]
    pub load_is_known: bool,
    /// Steps on schedule since the growth last paused for longer than that of a leak
    /// does, or jumped.
    pub steady_steps: usize,
    /// The share of all work over which these were taken.
    #[serde(skip)]
    pub steady_span: f64,
    /// Whether several containers grow at the site, one after another.
    #[serde(skip)]
    pub of_many: bool,
    /// How often the bytes have doubled, up to now, at one rate.
    pub even_doublings: usize,
    /// Work at the end of the run, since the container was made if that was late.
    pub work: f64,
    /// Work at which the next step is due.
    pub due: f64,
    /// Bytes at the end.
    pub bytes: u64,
    /// Bytes grown over the last eight-fold of work.
    pub grown_bytes: f64,
    /// What is put into it per unit of work.
    #[serde(skip)]
    pub bytes_per_op: f64,
}

impl Container {
    /// The same container, where other counters explain its steps about as well as the one it was
    /// classified by. By one of them its growth may be over, and then the next step, or its absence,
    /// tells which counter is right:
    ///
    /// | by its own counter | by a rival it is over | by no rival it is over |
    /// |---|---|---|
    /// | leak | suspect, until the next step is overdue | leak |
    /// | suspect | what the rival says | suspect |
    /// | anything else | the same | the same |
    pub(super) fn defer_to_rivals(
        mut self,
        mut rivals: impl Iterator<Item = Self>,
        axis: &Axis,
        rule: &Rule,
    ) -> Self {
        let is_over = |rival: &Self| {
            matches!(rival.class, Class::Saturating | Class::Settled | Class::Stable)
        };
        // Rivals are classified only where they are asked.
        let over = match self.class {
            Class::Leak | Class::Suspect => rivals.find(is_over),
            _ => None,
        };
        match (self.class, over) {
            (Class::Leak, Some(_)) => {
                self.class = Class::Suspect;
                self.needs_snapshots = Some(needs(&self, axis, rule));
            }
            (_, Some(rival)) => {
                self.class = rival.class;
                self.needs_snapshots = None;
            }
            (_, None) => {}
        }
        self
    }

    /// Whether the bytes grew faster than the load alone would have made them: the power of the
    /// work beyond that of the load, and that of the load. Steps that keep to a schedule do not lag
    /// behind a load, so for them the last four-fold of the work will do.
    pub(super) fn beyond_load(&self) -> Option<(f64, f64)> {
        let steady = self.steady_steps >= LEAST_STEPS;
        let late = steady.then_some((self.late_exponent, self.late_load_exponent));
        let mut stretches = iter::once((self.exponent, self.load_exponent)).chain(late);
        stretches.find(|(bytes, load)| bytes - load >= LEAST_EXPONENT)
    }

    /// Growth per unit of work.
    pub(super) fn rate(&self, counter: &Counter) -> Rate {
        Rate {
            work: counter.name.clone(),
            objects_per_op: 0.0,
            bytes_per_op: self.bytes_per_op,
            // What it has room for, if that were full.
            bytes_per_op_upper: self.bytes_per_op.max(self.room_per_op()),
            ops_per_hour: counter.per_hour,
        }
    }

    fn room_per_op(&self) -> f64 {
        if self.work > 0.0 { self.bytes as f64 / self.work } else { 0.0 }
    }
}

/// Measures what the bytes of a site say by one counter, and names the class.
pub(super) fn classify_container(
    axis: &Axis,
    rule: &Rule,
    counter: &Counter,
    all: &[Counter],
    series: &SiteSeries,
    rises: &[(usize, u64)],
) -> Container {
    let Some(last) = axis.len().checked_sub(1) else { return Container::default() };
    let whole = counter.at[last];
    let since_made = since_made(counter, rises);
    let counter = since_made.as_ref().unwrap_or(counter);
    let now = counter.at[last];
    let bytes = |slot: usize| series.row(slot).trough_bytes;
    let (steps, steady_steps) = steps(counter, rises);
    let steady = &steps[steps.len().saturating_sub(steady_steps + 1)..];
    let steady_span = steady.last().map_or(0.0, |last| (last.work - steady[0].work) / whole);
    let factor = median_factor(&steps);
    let of_many = of_many(rises);
    // The last slot in which at most this share of the work was done: a window too long by a
    // slot is judged by its true length, one too short would miss a step.
    let before =
        |share: f64| counter.at.partition_point(|&work| work <= now * share).saturating_sub(1);
    let eighth = before(1.0 / 8.0);
    let loads: Vec<&Counter> = counter::loads(all, counter, rises).chain([counter]).collect();
    let exponents = |then: usize| {
        let span = now / counter.at[then];
        let grown = bytes(last).max(1) as f64 / bytes(then).max(1) as f64;
        let load = loads.iter().filter_map(|load| load.peak_growth(then));
        (power(grown, span), power(load.fold(1.0, f64::max), span))
    };
    let (exponent, load_exponent) = exponents(eighth);
    let (late_exponent, late_load_exponent) = exponents(before(1.0 / 4.0));
    let mut container = Container {
        factor,
        exponent,
        late_exponent,
        load_exponent,
        late_load_exponent,
        load_is_known: counter.peak_growth(eighth).is_some(),
        work: now,
        even_doublings: even_doublings(counter, rises, of_many),
        of_many,
        due: due(&steps, factor).min(due_after(steady, now / axis.len() as f64)),
        bytes: bytes(last),
        grown_bytes: bytes(last) as f64 - bytes(eighth) as f64,
        steps,
        steady_steps,
        steady_span,
        ..Container::default()
    };
    let filled = if of_many { None } else { filled_per_op(counter, rises) };
    container.bytes_per_op = filled.unwrap_or_else(|| container.room_per_op());
    container.class = match grows(&container) && blocks_grow(series, axis, eighth) {
        true => classify(&container, axis, rule),
        false => Class::Stable,
    };
    if container.class == Class::Suspect {
        container.needs_snapshots = Some(needs(&container, axis, rule));
    }
    container
}

/// The slots in which the bytes outgrew all before by a step, and what they came to.
pub(super) fn rises(axis: &Axis, series: &SiteSeries) -> Vec<(usize, u64)> {
    let mut rises: Vec<(usize, u64)> = Vec::new();
    for slot in 0..axis.len() {
        let bytes = series.row(slot).trough_bytes;
        let before = rises.last().map_or(0, |(_, bytes)| *bytes);
        if bytes > 0 && bytes as f64 >= STEP * before as f64 {
            rises.push((slot, bytes));
        }
    }
    rises
}

/// All steps, and how many of them came on schedule since the growth last paused for longer than
/// that of a leak does, or jumped.
fn steps(counter: &Counter, rises: &[(usize, u64)]) -> (Vec<ContainerStep>, usize) {
    let mut steps: Vec<ContainerStep> = Vec::new();
    let mut steady = 0;
    for &(slot, bytes) in rises {
        let before = steps.last().copied().unwrap_or_default();
        // The fewest bytes of a slot show a step that was taken up to two slots before.
        let earliest = slot.checked_sub(2).map_or(0.0, |slot| counter.at[slot]);
        let paused = earliest > GRACE * LONGEST_GAP * before.work;
        let jumped = bytes as f64 > MOST_STEP * before.bytes as f64;
        steady = if paused || jumped { 0 } else { steady + 1 };
        steps.push(ContainerStep { work: counter.at[slot], bytes });
    }
    (steps, steady)
}

/// The work done since a container was made, if that was so late that the run before says nothing
/// of it.
fn since_made(counter: &Counter, rises: &[(usize, u64)]) -> Option<Counter> {
    let before = rises.first()?.0.checked_sub(1)?;
    let late = counter.at[before] > counter.at.last()? / 8.0;
    late.then(|| counter.since(before))
}

/// Whether a recent step was so small that it was not all of the container that grew.
fn of_many(rises: &[(usize, u64)]) -> bool {
    let Some(&(_, bytes)) = rises.last() else { return false };
    let mut recent = rises.windows(2).filter(|pair| pair[0].1 * 8 >= bytes);
    recent.any(|pair| (pair[1].1 as f64) < STEP_OF_ONE * pair[0].1 as f64)
}

/// How often the bytes have doubled at one rate, seen from the end. A container grows when it holds
/// as much as it can, so the bytes before a step tell what it held then; the work in between is
/// known to a slot.
fn even_doublings(counter: &Counter, rises: &[(usize, u64)], of_many: bool) -> usize {
    let mut marks: Vec<(usize, f64)> = Vec::new();
    for (&(_, before), &(slot, _)) in rises.iter().zip(rises.iter().skip(1)).rev() {
        let half = |(_, later): &(usize, f64)| before as f64 <= HALF * later;
        if marks.last().is_none_or(half) {
            marks.push((slot, before as f64));
        }
    }
    let uneven = if of_many { UNEVEN_OF_MANY } else { UNEVEN };
    let at = |slot: Option<usize>| slot.map_or(0.0, |slot| counter.at[slot]);
    let mut rates = marks.windows(2).map(|pair| {
        let (&(late, more), &(early, less)) = (&pair[0], &pair[1]);
        let least = at(late.checked_sub(2)) - at(early.checked_sub(1));
        let most = at(late.checked_sub(1)) - at(early.checked_sub(2));
        ((more - less) / most, if least > 0.0 { (more - less) / least } else { f64::MAX })
    });
    let Some((mut slowest, mut fastest)) = rates.next() else { return 0 };
    // The interval in which a rate that all of them agree with lies.
    let agree = rates.take_while(|(least, most)| {
        slowest = slowest.max(*least);
        fastest = fastest.min(*most);
        slowest <= uneven * fastest
    });
    1 + agree.count()
}

/// What is put into a container per unit of work, over the steps by which it came to the last eight-fold
/// of its bytes: it grows when it is full. `None` if it has not grown.
fn filled_per_op(counter: &Counter, rises: &[(usize, u64)]) -> Option<f64> {
    // The fewest bytes of a slot show a step that was taken in the slot before.
    let ends = |slot: Option<usize>| slot.map_or(0.0, |slot| counter.at[slot]);
    let full: Vec<(f64, f64)> = rises
        .windows(2)
        .map(|pair| {
            let slot = pair[1].0;
            let work = ends(slot.checked_sub(2)) + ends(slot.checked_sub(1));
            (work / 2.0, pair[0].1 as f64)
        })
        .collect();
    let &(work, bytes) = full.last()?;
    let recent = full.iter().find(|(_, before)| SPAN * before >= bytes);
    let (work_before, bytes_before) = match recent {
        Some(&(then, before)) if then < work => (then, before),
        _ => (0.0, 0.0),
    };
    (work > work_before).then(|| (bytes - bytes_before) / (work - work_before))
}

/// The power of `span` that `growth` is; 0 for no span.
fn power(growth: f64, span: f64) -> f64 {
    if span > 1.0 && span.is_finite() { growth.ln() / span.ln() } else { 0.0 }
}

/// The work at which the next step is due: a longest gap after the last. Shards that double one
/// after another take many small steps and then pause.
fn due(steps: &[ContainerStep], factor: f64) -> f64 {
    let Some(last) = steps.last() else { return 0.0 };
    let recent = |pair: &&[ContainerStep]| pair[0].work > 0.0 && pair[1].work * 8.0 >= last.work;
    let gaps = steps.windows(2).filter(recent).map(|pair| pair[1].work / pair[0].work);
    last.work * gaps.fold(factor, f64::max).min(LONGEST_GAP)
}

/// The same, whenever the growth began: the gaps between the steps double as well. A step is seen
/// up to two slots late.
fn due_after(steady: &[ContainerStep], slot_work: f64) -> f64 {
    let gaps = steady.windows(2).map(|pair| pair[1].work - pair[0].work);
    let longest = gaps.reduce(f64::max).zip(steady.last());
    longest.map_or(f64::MAX, |(gap, last)| last.work + LONGEST_GAP * (gap + 2.0 * slot_work))
}

fn median_factor(steps: &[ContainerStep]) -> f64 {
    let factor = |pair: &[ContainerStep]| pair[1].bytes as f64 / pair[0].bytes as f64;
    let mut factors: Vec<f64> = steps.windows(2).map(factor).collect();
    factors.sort_by(f64::total_cmp);
    factors.get(factors.len() / 2).copied().unwrap_or(1.0)
}

/// Whether there is anything to classify: growth worth a word, and all of it still there.
fn grows(container: &Container) -> bool {
    let largest = container.steps.last().map_or(0, |step| step.bytes) as f64;
    container.grown_bytes >= FEWEST_BYTES && container.bytes as f64 >= STILL_HELD * largest
}

fn classify(container: &Container, axis: &Axis, rule: &Rule) -> Class {
    let small = container.grown_bytes < LEAST_BYTES;
    // The first step is the container's birth.
    let steps = container.steps.len() - 1;
    let overdue = container.work > GRACE * container.due;
    let sublinear = container.exponent < LEAST_EXPONENT;
    let steady = container.steady_steps >= LEAST_STEPS;
    if small && (overdue || sublinear || !steady) {
        return Class::Stable;
    }
    if steps < LEAST_STEPS || overdue {
        return Class::Settled;
    }
    if sublinear {
        return Class::Saturating;
    }
    let loaded = container.beyond_load().is_none();
    if loaded && !steady {
        return Class::Load;
    }
    let keeps_its_rate = container.even_doublings >= LEAST_DOUBLINGS;
    if container.steady_steps < LEAST_ON_SCHEDULE && !keeps_its_rate {
        return Class::Settled;
    }
    // All that the rule asks for came when it was due, and at one rate: a table that remembers the
    // high water of a load grows by leaps and rests.
    let in_step = container.late_exponent >= LEAST_EXPONENT
        && steady
        && container.even_doublings >= LEAST_DOUBLINGS
        && container.steady_span >= LEAST_SPAN;
    let proven = in_step && !loaded && !small && axis.len() >= rule.least_slots;
    if proven { Class::Leak } else { Class::Suspect }
}

/// How many more snapshots it takes for the next step to be overdue, and for the steps, the bytes
/// and the slots that are missing; where the load grew as well, for a four-fold of work at an even
/// load.
fn needs(container: &Container, axis: &Axis, rule: &Rule) -> u32 {
    let now = container.work;
    let missing = LEAST_STEPS.saturating_sub(container.steady_steps).max(1) as i32;
    let large_enough = now * LEAST_BYTES / container.grown_bytes;
    let even_load = if container.beyond_load().is_none() { 4.0 * now } else { now };
    let due = container.due * LONGEST_GAP.powi(missing - 1);
    let until = due.max(large_enough).max(even_load);
    let per_slot = (now / axis.len() as f64).max(f64::MIN_POSITIVE);
    let slots = rule.least_slots.saturating_sub(axis.len()) as f64;
    ((until - now) / per_slot).ceil().max(slots).clamp(1.0, MOST_NEEDED) as u32
}

/// The mean block grows, not just the number of blocks: that is for the other channel to judge.
fn blocks_grow(series: &SiteSeries, axis: &Axis, eighth: usize) -> bool {
    let mean = |slot: usize| {
        let row = series.row(slot);
        row.trough_bytes as f64 / (row.trough_objects as f64).max(1.0)
    };
    let then = mean(eighth);
    then > 0.0 && mean(axis.len() - 1) >= LEAST_BLOCK_GROWTH * then
}
