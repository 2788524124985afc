//! The evidence a person can check: counts, what was excluded, what would change the verdict.

use std::iter;

use heaptide_format::Epoch;
use serde::Serialize;

use super::class::Class;
use super::containers::Container;
use super::objects::Objects;
use crate::axis::Axis;
use crate::series::SiteSeries;

/// What is flushed now and then has probably been seen to after so many runs like this.
const FLUSHES_WITHIN_RUNS: u64 = 4;

/// How far a cohort has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Born while the program warmed up.
    WarmUp,
    /// Old enough to count as evidence.
    Mature,
    /// Too young to say.
    Young,
}

/// The blocks born in one slot that are alive at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CohortBar {
    /// First birth epoch.
    pub first_epoch: Epoch,
    /// Last birth epoch.
    pub last_epoch: Epoch,
    /// Live blocks.
    pub objects: u64,
    /// Live bytes.
    pub bytes: u64,
    /// How far they have come.
    pub stage: Stage,
}

/// A harmless explanation that the numbers rule out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "hypothesis", rename_all = "kebab-case")]
pub enum Excluded {
    /// Not a cache: nothing old is replaced.
    Cache {
        /// Mature blocks that died.
        freed: u64,
        /// Mature blocks there were.
        seen: u64,
    },
    /// Not load: these blocks have outlived most of the run.
    Load {
        /// Blocks at least this old are counted.
        age_ns: u64,
        /// How many there are.
        objects: u64,
    },
    /// Not warm-up: the rate did not slow down.
    WarmUp {
        /// Second half against first half.
        pace: f64,
    },
    /// Not a one-off: they come from all over the run.
    OneOff {
        /// Slots with survivors.
        slots: usize,
        /// Slots that could have some.
        of: usize,
    },
    /// Not chance: the old population rose too steadily.
    Chance {
        /// Steps up.
        ups: usize,
        /// Steps.
        of: usize,
        /// The e-value.
        e_value: f64,
    },
    /// Not a container that was made large enough: its steps come when they are due.
    Settled {
        /// Steps.
        steps: usize,
        /// Of these the last ones that kept to the schedule of a leak.
        steady_steps: usize,
        /// Bytes grow like work to this power.
        exponent: f64,
    },
    /// Not a container that is sized for what is in flight: it outgrows the load.
    Peak {
        /// Bytes grow like work to this power.
        exponent: f64,
        /// The peak load grows like work to this power.
        load_exponent: f64,
    },
}

/// What would change the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "condition", rename_all = "kebab-case")]
pub enum Condition {
    /// Nothing was freed so far, as in a buffer that is flushed later: run this long to see.
    Flush {
        /// Four times as long as it ran.
        within_ns: u64,
    },
    /// Blocks from before the recording ended meanwhile, and these may have taken their place: record
    /// from the start of the program.
    FromStart {
        /// So many ended while the survivors were born.
        freed_from_before: u64,
    },
    /// A lifetime longer than this is intended: set `max_lifetime`.
    MaxLifetime {
        /// The age of the youngest block that counts.
        longer_than_ns: u64,
    },
    /// There is a bound that the run has not reached: allow the site that many.
    Bound {
        /// Live blocks at the end.
        above_objects: u64,
    },
    /// More snapshots.
    Snapshots {
        /// About how many.
        more: u32,
        /// How long that takes at the pace of this run.
        about_ns: u64,
    },
}

/// All numbers behind a verdict.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// What is alive at the end by birth, one bar per slot, zeros included.
    pub cohorts: Vec<CohortBar>,
    /// Cumulative allocations.
    pub allocs: u64,
    /// Cumulative frees.
    pub frees: u64,
    /// Live blocks at the end.
    pub live_objects: u64,
    /// Live bytes at the end.
    pub live_bytes: u64,
    /// Standard error of the live blocks; 0 in an exact recording.
    #[serde(skip_serializing_if = "is_zero")]
    pub objects_error: f64,
    /// Standard error of the live bytes; 0 in an exact recording.
    #[serde(skip_serializing_if = "is_zero")]
    pub bytes_error: f64,
    /// Time since the last free, if there was any.
    pub last_free_ago_ns: Option<u64>,
    /// Of the live blocks, how many were left when the program exited, if that was recorded.
    pub objects_at_exit: Option<u64>,
    /// Channel A.
    pub objects: Objects,
    /// Channel B.
    pub container: Container,
    /// The smallest false discovery rate at which this site is among the discoveries.
    pub q_value: f64,
    /// Harmless explanations that were ruled out (leaks and suspects).
    pub excluded: Vec<Excluded>,
    /// What would change the verdict (leaks and suspects).
    pub would_change: Vec<Condition>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(number: &f64) -> bool {
    *number == 0.0
}

pub(super) fn gather(
    axis: &Axis,
    series: &SiteSeries,
    objects: Objects,
    container: Container,
    class: Class,
) -> Evidence {
    let totals = series.totals();
    let end_ns = axis.slots().last().map_or(0, |slot| slot.elapsed_ns);
    let judged = class <= Class::Suspect;
    let by_objects = judged && objects.class <= container.class;
    let by_container = judged && container.class <= Class::Suspect;
    let age_ns = youngest_mature_ns(axis);
    let mut excluded = Vec::new();
    let mut would_change = Vec::new();
    if by_objects {
        excluded.extend(objects_excluded(&objects, age_ns));
        if totals.counts.frees == 0 {
            let within_ns = end_ns.saturating_mul(FLUSHES_WITHIN_RUNS);
            would_change.push(Condition::Flush { within_ns });
        }
        if let Some(freed_from_before) = objects.replaced {
            would_change.push(Condition::FromStart { freed_from_before });
        }
        would_change.push(Condition::MaxLifetime { longer_than_ns: age_ns });
        would_change.push(Condition::Bound { above_objects: totals.counts.live_objects });
    }
    if by_container {
        excluded.extend(container_excluded(&container));
    }
    let more = if by_objects { objects.needs_snapshots } else { container.needs_snapshots };
    let slot_ns = end_ns / axis.len().max(1) as u64;
    would_change.extend(more.map(|more| {
        let about_ns = slot_ns.saturating_mul(more.into());
        Condition::Snapshots { more, about_ns }
    }));
    Evidence {
        cohorts: if judged { bars(axis, series) } else { Vec::new() },
        allocs: totals.counts.allocs,
        frees: totals.counts.frees,
        live_objects: totals.counts.live_objects,
        live_bytes: totals.counts.live_bytes,
        objects_error: totals.objects_error,
        bytes_error: totals.bytes_error,
        last_free_ago_ns: totals.last_free_ns.map(|ns| end_ns.saturating_sub(ns)),
        objects_at_exit: totals.objects_at_exit,
        objects,
        container,
        q_value: 1.0,
        excluded,
        would_change,
    }
}

/// The age of the youngest block that counts as mature.
fn youngest_mature_ns(axis: &Axis) -> u64 {
    let slots = axis.slots();
    let born = axis.mature().end.checked_sub(1).and_then(|slot| slots.get(slot));
    match (born, slots.last()) {
        (Some(born), Some(last)) => last.elapsed_ns.saturating_sub(born.elapsed_ns),
        _ => 0,
    }
}

fn objects_excluded(objects: &Objects, age_ns: u64) -> Vec<Excluded> {
    let seen = objects.survivors.saturating_add(objects.deaths);
    let (slots, of) = (objects.slots_with_survivors, objects.slots);
    let mut excluded = vec![
        Excluded::Cache { freed: objects.deaths, seen },
        Excluded::Load { age_ns, objects: objects.survivors },
        Excluded::WarmUp { pace: objects.pace },
        Excluded::OneOff { slots, of },
    ];
    if objects.class == Class::Leak {
        let (ups, of, e_value) = (objects.ups, objects.steps, objects.e_value);
        excluded.push(Excluded::Chance { ups, of, e_value });
    }
    excluded
}

fn container_excluded(container: &Container) -> impl Iterator<Item = Excluded> {
    let Container { exponent, steady_steps, .. } = *container;
    // The first step is the container's birth.
    let steps = container.steps.len().saturating_sub(1);
    let peak = container
        .beyond_load()
        .filter(|_| container.load_is_known)
        .map(|(exponent, load_exponent)| Excluded::Peak { exponent, load_exponent });
    let steady_steps = steady_steps.min(steps);
    iter::once(Excluded::Settled { steps, steady_steps, exponent }).chain(peak)
}

fn bars(axis: &Axis, series: &SiteSeries) -> Vec<CohortBar> {
    let mature = axis.mature();
    let mut cohorts = series.cohorts().iter().peekable();
    let bar = |(index, slot): (usize, &crate::axis::Slot)| {
        let cohort = cohorts.next_if(|cohort| cohort.slot == index).copied().unwrap_or_default();
        let stage = match index {
            _ if index < mature.start => Stage::WarmUp,
            _ if index < mature.end => Stage::Mature,
            _ => Stage::Young,
        };
        CohortBar {
            first_epoch: slot.first_epoch,
            last_epoch: slot.last_epoch,
            objects: cohort.objects,
            bytes: cohort.bytes,
            stage,
        }
    };
    axis.slots().iter().enumerate().map(bar).collect()
}
