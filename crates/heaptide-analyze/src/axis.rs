//! The axis a run is judged on: snapshots joined into slots of comparable progress.
//!
//! A verdict compares births and ages, so its clock must tick evenly. Snapshots do not: some come
//! by signal right after another, some stretches are idle, long runs share birth epochs in
//! buckets, and the last one sees a program that is shutting down. A [`Slot`] joins neighbouring
//! snapshots until enough time and enough work has passed; a bucket never straddles two slots. The
//! axis is known before the first row is read, so that a site can be summed up in one pass.

use std::collections::BTreeMap;

use heaptide_format::{Bucket, Epoch, HeapTotals, Reason};

use crate::timeline::{Point, Timeline};

/// More slots than this add memory per site, not evidence: a clean leak is called one after 20. At
/// 32 bytes a slot, a site costs at most 4 KiB while it is judged.
pub const MAX_SLOTS: usize = 128;

/// A step shorter than this share of the median step is joined with its neighbour: that is a
/// snapshot taken by signal right after another, not one that came a little early.
const SHORT_STEP: f64 = 0.125;
/// A slot counts for at most this many median ones: nothing grows old while nothing happens.
const LONG_SLOT: f64 = 3.0;
/// A program takes no larger share of a run to take itself apart; what falls earlier is its work
/// (`docs/VERDICT.md`, "The clock").
const LONGEST_TEARDOWN: f64 = 0.1;
/// The share of a run that is warm-up unless the user says otherwise (`docs/VERDICT.md`, "The
/// clock").
const WARM_UP: f64 = 0.25;
/// Blocks older than this share of a run are mature (`docs/VERDICT.md`, "The clock"): warm-up and
/// maturity leave the middle 45 % of the run for births that count.
const MATURITY: f64 = 0.3;
/// Shares of a run are sums of rounded parts: within this of a bound is at the bound.
const ROUNDING: f64 = 1e-9;

/// How long a run warms up: blocks born before the end of it are never evidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WarmUp {
    /// The first quarter of the run.
    #[default]
    Quarter,
    /// A number of snapshots.
    Snapshots(u32),
    /// A time since the recording began.
    Nanoseconds(u64),
}

/// What the user says of the program that shapes the axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Length of the warm-up.
    pub warm_up: WarmUp,
    /// The longest that anything may rightly live; younger blocks never count as leaked.
    pub max_lifetime_ns: Option<u64>,
}

/// One tick of the axis: a span of epochs closed by a snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    /// First birth epoch of the span.
    pub first_epoch: Epoch,
    /// Last birth epoch of the span; the snapshot that closed it stands for the slot.
    pub last_epoch: Epoch,
    /// Time of that snapshot since the recording began.
    pub elapsed_ns: u64,
    /// Work counted until then, by name.
    pub work: BTreeMap<String, u64>,
    /// Blocks freed until then that were there before the recording.
    pub freed_from_before: u64,
}

/// The slots of a run, and which of them are warm-up and which are old enough to count.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Axis {
    slots: Vec<Slot>,
    slot_of_point: Vec<Option<u16>>,
    /// Where each slot ends, as a share of the run; rises to 1.
    end_shares: Vec<f64>,
    warm_up: usize,
    /// At the end of each slot: how many slots are old enough.
    mature: Vec<u16>,
    paced_by_program: bool,
    start_mono_ns: u64,
}

impl Axis {
    /// Lays the axis through a run.
    pub fn new(timeline: &Timeline, settings: &Settings) -> Self {
        let judged = judged_points(&timeline.points);
        let called = judged.iter().filter(|point| point.reason == Reason::Call).count();
        let paced_by_program = called * 2 > judged.len();
        let work = progress(judged);
        let clock = match (paced_by_program, &work) {
            (false, _) => judged.iter().map(|point| point.elapsed_ns as f64).collect(),
            (true, Some(work)) => work.clone(),
            (true, None) => (1..=judged.len()).map(|k| k as f64).collect(),
        };
        let closing = closing_points(judged, &clock, work.as_deref().unwrap_or(&clock));
        let slots = slots(judged, &closing);
        let slot_of_point = (0..timeline.points.len())
            .map(|k| (k < judged.len()).then(|| closing.partition_point(|&end| end < k) as u16))
            .collect();
        let end_shares = end_shares(&closing, &clock);
        let warm_up = warm_up_slots(&slots, &end_shares, settings.warm_up);
        let lifetime_ns = settings.max_lifetime_ns.unwrap_or(0);
        let mature =
            (0..slots.len()).map(|k| mature_slots(&slots, &end_shares, k, lifetime_ns)).collect();
        let start_mono_ns = timeline.header.start_mono_ns;
        Self { slots, slot_of_point, end_shares, warm_up, mature, paced_by_program, start_mono_ns }
    }

    /// Whether the program took most snapshots itself, at points of its work that it chose. The
    /// time between them then says how fast the machine was, and nothing of the load; the run is
    /// measured by its work instead.
    pub(crate) fn is_paced_by_program(&self) -> bool {
        self.paced_by_program
    }

    /// The slots, oldest first.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Number of slots: the `n` of the rule.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// No snapshot can be judged.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Slots before this one are warm-up: the `b` of the rule.
    pub fn warm_up(&self) -> usize {
        self.warm_up
    }

    /// Blocks born in fewer slots than this are mature at the end of `slot`.
    pub(crate) fn mature_at(&self, slot: usize) -> usize {
        self.mature.get(slot).copied().map_or(0, usize::from)
    }

    /// Where each slot ends, as a share of the run in which no slot counts for too much.
    pub fn end_shares(&self) -> &[f64] {
        &self.end_shares
    }

    /// The slots that end within a range of shares of the run.
    pub(crate) fn between(&self, from: f64, to: f64) -> std::ops::Range<usize> {
        let until = |share: f64| self.end_shares.partition_point(|&end| end <= share + ROUNDING);
        until(from)..until(to)
    }

    /// How many snapshots before the exit snapshot are not judged, because they see the program
    /// take itself apart.
    pub fn teardown(&self) -> usize {
        let left_out = self.slot_of_point.iter().filter(|slot| slot.is_none()).count();
        left_out.saturating_sub(1)
    }

    /// The slot a snapshot belongs to; `None` if it is not judged (the exit snapshot, and those
    /// of the [`teardown`](Self::teardown)).
    pub fn slot_of_point(&self, k: usize) -> Option<usize> {
        self.slot_of_point.get(k).copied().flatten().map(usize::from)
    }

    /// The slot in which blocks of this epoch were born (the last one if the epoch is later).
    pub fn slot_of_epoch(&self, epoch: Epoch) -> usize {
        let slot = self.slots.partition_point(|slot| slot.last_epoch < epoch);
        slot.min(self.slots.len().saturating_sub(1))
    }

    /// Time since the recording began of a reading of the monotonic clock.
    pub fn elapsed_ns(&self, mono_ns: u64) -> u64 {
        mono_ns.saturating_sub(self.start_mono_ns)
    }

    /// The first slot that ends after this share of the way from the end of `from` to the end.
    pub(crate) fn share_of(&self, from: usize, share: f64) -> usize {
        let start = self.end_shares.get(from).copied().unwrap_or(1.0);
        self.end_shares.partition_point(|&end| end <= start + share * (1.0 - start) + ROUNDING)
    }

    /// Blocks freed in these slots that were there before the recording.
    pub(crate) fn freed_from_before(&self, slots: std::ops::Range<usize>) -> u64 {
        let until = |end: usize| end.checked_sub(1).map_or(0, |k| self.slots[k].freed_from_before);
        until(slots.end).saturating_sub(until(slots.start))
    }

    /// Slots whose births are evidence and are mature at the end.
    pub fn mature(&self) -> std::ops::Range<usize> {
        let end = self.mature.last().copied().map_or(0, usize::from);
        self.warm_up.min(end)..end
    }
}

/// All but those that see a program take itself apart: the exit snapshot, and before it whatever
/// came after the heap had collapsed.
fn judged_points(points: &[Point]) -> &[Point] {
    match points {
        [before @ .., exit] if exit.reason == Reason::Exit => &before[..running(points)],
        all => all,
    }
}

/// How many snapshots were taken before a program that then exited dropped what it held: shortly
/// before the end, after its last work, and to less than half of what it held at any time since
/// its first quarter, as no routine flush does. Where no work is counted, since the beginning.
///
/// The snapshot before the collapse may have seen a part of it, unless work was done after it.
fn running(all: &[Point]) -> usize {
    let [points @ .., _] = all else { return 0 };
    let Some(last) = points.last() else { return 0 };
    let works = last.work.values().any(|count| *count > 0);
    let since = if works { points.len() / 4 } else { 0 };
    let latest_ns = last.elapsed_ns as f64 * (1.0 - LONGEST_TEARDOWN);
    let collapses = |k: usize, held: fn(&HeapTotals) -> u64| {
        let before = all[since..k].iter().map(|point| held(&point.heap)).min();
        before.is_some_and(|least| held(&all[k].heap) < least / 2)
    };
    let tears_down = |k: &usize| {
        all[*k].work == last.work
            && all[*k].elapsed_ns as f64 >= latest_ns
            && (collapses(*k, |heap| heap.live_objects) || collapses(*k, |heap| heap.live_bytes))
    };
    let Some(collapsed) = (since..all.len()).find(tears_down) else { return points.len() };
    let in_part = |k: &usize| works && all[*k].work == last.work;
    collapsed.checked_sub(1).filter(in_part).unwrap_or(collapsed)
}

/// Indices of the points that close a slot: enough has happened since the last by the clock of the
/// run, and enough work is done.
fn closing_points(points: &[Point], clock: &[f64], work: &[f64]) -> Vec<usize> {
    let (least_time, least_work) = (least_step(clock), least_step(work));
    let mut closing: Vec<usize> = Vec::new();
    for k in 0..points.len() {
        let from = closing.last().copied();
        let step = |values: &[f64]| values[k] - from.map_or(0.0, |from| values[from]);
        let long = step(clock) >= least_time && step(work) >= least_work;
        if ends_bucket(points, k) && (long || from.is_none()) {
            closing.push(k);
        }
    }
    // What is left over at the end belongs to the last slot.
    if let (Some(end), Some(last)) = (closing.last_mut(), points.len().checked_sub(1)) {
        *end = last;
    }
    closing
}

/// No bucket of birth epochs goes on beyond this snapshot.
fn ends_bucket(points: &[Point], k: usize) -> bool {
    let epoch = points[k].epoch;
    k + 1 == points.len() || Bucket::of(epoch) != Bucket::of(Epoch(epoch.0.saturating_add(1)))
}

/// Work done until each point as a share of the whole, the mean over all counters that moved; none
/// if none did.
fn progress(points: &[Point]) -> Option<Vec<f64>> {
    let (first, last) = (points.first()?, points.last()?);
    let at = |point: &Point, name: &str| point.work.get(name).copied().unwrap_or(0) as f64;
    let moved: Vec<(&str, f64)> = last
        .work
        .keys()
        .map(|name| (name.as_str(), at(last, name) - at(first, name)))
        .filter(|(_, total)| *total > 0.0)
        .collect();
    let share = |point| moved.iter().map(|(name, total)| at(point, name) / total).sum::<f64>();
    let progress = || points.iter().map(|point| share(point) / moved.len() as f64).collect();
    (!moved.is_empty()).then(progress)
}

/// The smallest step that makes a slot of its own.
fn least_step(values: &[f64]) -> f64 {
    let mut steps: Vec<f64> =
        values.windows(2).map(|pair| pair[1] - pair[0]).filter(|step| *step > 0.0).collect();
    steps.sort_by(f64::total_cmp);
    let median = steps.get(steps.len() / 2).copied().unwrap_or(0.0);
    let span = values.last().copied().unwrap_or(0.0) - values.first().copied().unwrap_or(0.0);
    let crowded = if steps.len() > MAX_SLOTS { span / MAX_SLOTS as f64 } else { 0.0 };
    (median * SHORT_STEP).max(crowded)
}

fn slots(points: &[Point], closing: &[usize]) -> Vec<Slot> {
    let mut first_epoch = Epoch(0);
    let mut slots = Vec::with_capacity(closing.len());
    for point in closing.iter().map(|&k| &points[k]) {
        let last_epoch = point.epoch;
        let (elapsed_ns, work) = (point.elapsed_ns, point.work.clone());
        let freed_from_before = point.freed_from_before;
        slots.push(Slot { first_epoch, last_epoch, elapsed_ns, work, freed_from_before });
        first_epoch = Epoch(last_epoch.0.saturating_add(1));
    }
    slots
}

/// Where each slot ends, as a share of the run in which no slot counts for too much.
fn end_shares(closing: &[usize], clock: &[f64]) -> Vec<f64> {
    let at = || closing.iter().map(|&k| clock[k]);
    let gaps: Vec<f64> = at().zip(std::iter::once(0.0).chain(at())).map(|(b, a)| b - a).collect();
    let mut sorted = gaps.clone();
    sorted.sort_by(f64::total_cmp);
    // Without any time between them, slots count alike.
    let median = sorted.get(sorted.len() / 2).copied().unwrap_or(0.0);
    let length = |gap: f64| if median > 0.0 { gap.clamp(0.0, LONG_SLOT * median) } else { 1.0 };
    let whole: f64 = gaps.iter().map(|&gap| length(gap)).sum();
    let mut share = 0.0;
    let shares = gaps.iter().map(|&gap| {
        share += length(gap) / whole;
        share
    });
    shares.collect()
}

fn warm_up_slots(slots: &[Slot], end_shares: &[f64], warm_up: WarmUp) -> usize {
    match warm_up {
        WarmUp::Quarter => end_shares.partition_point(|&end| end < WARM_UP - ROUNDING) + 1,
        WarmUp::Snapshots(snapshots) => slots.partition_point(|slot| slot.last_epoch.0 < snapshots),
        WarmUp::Nanoseconds(ns) => slots.partition_point(|slot| slot.elapsed_ns <= ns),
    }
}

/// How many slots are mature at the end of slot `k`: old for this run, and older than anything may
/// rightly live.
fn mature_slots(slots: &[Slot], end_shares: &[f64], k: usize, lifetime_ns: u64) -> u16 {
    let old = end_shares.partition_point(|&end| end <= end_shares[k] - MATURITY + ROUNDING);
    let age_ns = |slot: &Slot| slots[k].elapsed_ns.saturating_sub(slot.elapsed_ns);
    let overdue = slots[..=k].partition_point(|slot| age_ns(slot) >= lifetime_ns);
    old.min(overdue).min(k) as u16
}
