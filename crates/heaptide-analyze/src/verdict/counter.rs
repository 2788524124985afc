//! What growth is measured against: the work counter that explains it best, else time.

use serde::Serialize;

use crate::axis::{Axis, Slot};
use crate::series::{SiteSeries, SlotCohort};

/// The name of time when it stands in for work.
pub(crate) const SECONDS: &str = "seconds";

/// One counter over the slots of a run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Counter {
    /// The counter's name, or `"seconds"`.
    pub(super) name: String,
    /// Its value at the end of each slot.
    pub(super) at: Vec<f64>,
    /// Its pace in this run.
    pub(super) per_hour: f64,
    /// Its highest pace until the end of each slot, per hour. Empty if the time between
    /// snapshots says nothing of it.
    peaks: Vec<f64>,
}

/// The pace is taken over so many slots: over a single one, a snapshot that came late would be a
/// peak.
const PACE_SLOTS: usize = 3;

impl Counter {
    fn new(name: &str, axis: &Axis, value: impl Fn(&Slot) -> f64) -> Self {
        let slots = axis.slots();
        let at: Vec<f64> = slots.iter().map(value).collect();
        let whole = |values: &dyn Fn(&Slot) -> f64| match slots {
            [first, .., last] => values(last) - values(first),
            _ => 0.0,
        };
        let hours = whole(&|slot| slot.elapsed_ns as f64) / 3.6e12;
        let done = at.last().copied().unwrap_or(0.0) - at.first().copied().unwrap_or(0.0);
        let per_hour = if hours > 0.0 { (done / hours).max(0.0) } else { 0.0 };
        let peaks = if axis.is_paced_by_program() { Vec::new() } else { peaks(slots, &at) };
        Self { name: name.to_owned(), at, per_hour, peaks }
    }

    /// The run itself, from 0 to 1.
    pub(super) fn run(axis: &Axis) -> Self {
        Self {
            name: SECONDS.to_owned(),
            at: axis.end_shares().to_vec(),
            per_hour: 0.0,
            peaks: Vec::new(),
        }
    }

    /// The same, counted from the end of a slot on.
    pub(super) fn since(&self, slot: usize) -> Self {
        let start = self.at[slot];
        let at = self.at.iter().map(|work| (work - start).max(0.0)).collect();
        Self { at, ..self.clone() }
    }

    /// By which factor its highest pace grew since the end of this slot; infinite if there was
    /// none before, and `None` if nothing is known of it.
    pub(super) fn peak_growth(&self, since: usize) -> Option<f64> {
        let (before, now) = (self.peaks.get(since)?, self.peaks.last()?);
        Some(if now > before { now / before } else { 1.0 })
    }

    /// Work done in the slots of a range.
    pub(super) fn over(&self, slots: std::ops::Range<usize>) -> f64 {
        let until = |end: usize| end.checked_sub(1).and_then(|k| self.at.get(k)).copied();
        let (from, to) = (until(slots.start).unwrap_or(0.0), until(slots.end).unwrap_or(0.0));
        (to - from).max(0.0)
    }

    /// The slot before which half of the work of a range is done (always inside the range).
    pub(super) fn middle(&self, slots: std::ops::Range<usize>) -> usize {
        self.share(slots, 0.5)
    }

    /// The slot before which this share of the work of a range is done.
    pub(super) fn share(&self, slots: std::ops::Range<usize>, share: f64) -> usize {
        let goal = self.over(slots.clone()) * share;
        slots.clone().find(|&slot| self.over(slots.start..slot + 1) > goal).unwrap_or(slots.end)
    }
}

/// The highest work per hour until the end of each slot.
fn peaks(slots: &[Slot], work: &[f64]) -> Vec<f64> {
    let ends = |slot: usize| (work[slot], slots[slot].elapsed_ns as f64 / 3.6e12);
    let pace = |slot: usize| {
        let (work_before, time_before) = slot.checked_sub(PACE_SLOTS).map_or((0.0, 0.0), ends);
        let pace = (ends(slot).0 - work_before) / (ends(slot).1 - time_before);
        if pace.is_finite() { pace } else { 0.0 }
    };
    let mut peak = 0.0_f64;
    let so_far = |slot| {
        peak = peak.max(pace(slot));
        peak
    };
    (0..slots.len()).map(so_far).collect()
}

/// The counters to choose from: the named one; else all that move after warm-up, and time, unless
/// it only says how fast the machine was.
pub(super) fn counters(axis: &Axis, named: Option<&str>) -> Vec<Counter> {
    let slots = axis.slots();
    let seconds = Counter::new(SECONDS, axis, |slot| slot.elapsed_ns as f64 / 1e9);
    let names = slots.last().into_iter().flat_map(|slot| slot.work.keys());
    let mut counters: Vec<Counter> = names
        .filter(|name| named.is_none_or(|named| named == *name))
        .map(|name| {
            Counter::new(name, axis, |slot| slot.work.get(name).copied().unwrap_or(0) as f64)
        })
        .filter(|counter| counter.over(axis.warm_up()..slots.len()) > 0.0)
        .collect();
    if counters.is_empty() || named.is_none() && !axis.is_paced_by_program() {
        counters.push(seconds);
    }
    counters
}

/// Counters whose misfit is within this factor of the best one's explain the growth about as well:
/// the saw teeth of a doubling container alone make so much of a difference, depending on where in
/// a tooth the run ends.
const RIVAL: f64 = 2.0;
/// A misfit as near as this to the best one's is as good. Where the best is next to nothing, a
/// factor of it would leave no room for a slot more or less.
const CLOSE: f64 = 0.01;
/// The factor for a load: what is in flight lags behind it and comes in lumps.
const LOAD_RIVAL: f64 = 3.0;
/// Time has to explain growth by this factor better than work does, because work is what a reader
/// can act on.
const TIME_HANDICAP: f64 = 2.0;
/// Fewer steps of a container than this keep time with any counter.
const LEAST_STEPS: usize = 3;

/// How badly a counter explains the growth of a site.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fit {
    /// The counter's name, or `"seconds"`.
    pub work: String,
    /// Zero if the growth keeps time with it. Chi-square over slots of birth where blocks pile up,
    /// the variance of the logarithm of bytes per work where a container grows.
    pub misfit: f64,
}

/// The counter that explains the growth best, and how all of them do.
#[derive(Clone, Debug)]
pub(super) struct ChosenCounter<'a> {
    pub(super) counter: &'a Counter,
    /// Those that explain the steps of a container, up to the last, about as well as any.
    pub(super) rivals: Vec<&'a Counter>,
    /// Best first; empty if there was nothing to choose from.
    pub(super) fits: Vec<Fit>,
}

impl ChosenCounter<'_> {
    /// Whether it was made among several counters of work.
    pub(super) fn is_of_work(&self) -> bool {
        self.fits.iter().filter(|fit| fit.work != SECONDS).count() > 1
    }
}

/// The counter in step with which the survivors were born; the first one if none were.
pub(super) fn of_births<'a>(
    counters: &'a [Counter],
    axis: &Axis,
    series: &SiteSeries,
) -> ChosenCounter<'a> {
    choose(counters.iter(), |counter| misfit(counter, axis, series.cohorts()))
}

/// The counter of several with which a container keeps time: its bytes per work stay within the
/// saw teeth of its steps. Fewer `steps` (slots and bytes) than three keep time with anything, and
/// time itself is no choice: what a container owes to the load is asked elsewhere.
pub(super) fn of_steps<'a>(
    counters: &'a [Counter],
    steps: &[(usize, u64)],
) -> Option<ChosenCounter<'a>> {
    let of_work = || counters.iter().filter(|counter| counter.name != SECONDS);
    let (Some((to, _)), false) = (steps.last(), of_work().count() < 2 || steps.len() < LEAST_STEPS)
    else {
        return None;
    };
    let whole = |counter: &Counter| unsteadiness(&counter.at, steps, counter.at.len() - 1);
    let mut chosen = choose(of_work(), whole);
    // Whether the growth went on after the last step is the question, so a counter that slowed
    // down then must not win by it alone.
    let so_far = |counter: &Counter| unsteadiness(&counter.at, steps, *to);
    let best = of_work().map(so_far).fold(f64::MAX, f64::min);
    let close = |counter: &&Counter| so_far(counter) <= RIVAL * best + CLOSE;
    chosen.rivals = of_work().filter(close).collect();
    Some(chosen)
}

/// Ranks counters by how well they explain the growth.
fn choose<'a>(
    counters: impl Iterator<Item = &'a Counter>,
    misfit: impl Fn(&Counter) -> f64,
) -> ChosenCounter<'a> {
    let handicap = |counter: &Counter| if counter.name == SECONDS { TIME_HANDICAP } else { 1.0 };
    let mut ranked: Vec<(f64, &Counter)> =
        counters.map(|counter| (handicap(counter) * misfit(counter), counter)).collect();
    // Stable: of equals the first by name, and time last.
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
    let fit = |&(misfit, counter): &(f64, &Counter)| Fit { work: counter.name.clone(), misfit };
    let fits = if ranked.len() > 1 { ranked.iter().map(fit).collect() } else { Vec::new() };
    // `counters` always holds one at least: time, or the one that was asked for.
    ChosenCounter { counter: ranked[0].1, rivals: Vec::new(), fits }
}

/// The counters whose load explains the steps of a container about as well as work that was done:
/// it holds what is in flight.
pub(super) fn loads<'a>(
    counters: &'a [Counter],
    by: &Counter,
    steps: &[(usize, u64)],
) -> impl Iterator<Item = &'a Counter> {
    let misfit = |values: &[f64]| unsteadiness(values, steps, values.len() - 1);
    let explains = move |counter: &&Counter| {
        let known =
            counter.name != SECONDS && !counter.peaks.is_empty() && steps.len() >= LEAST_STEPS;
        known && misfit(&counter.peaks) <= LOAD_RIVAL * misfit(&by.at) + CLOSE
    };
    counters.iter().filter(explains)
}

/// The variance over the slots of the logarithm of bytes per unit of something, from the second
/// step (the container was born with the first) until `to`.
fn unsteadiness(by: &[f64], steps: &[(usize, u64)], to: usize) -> f64 {
    let from = steps.get(1).map_or(0, |(slot, _)| *slot);
    let log = |slot: usize| {
        let bytes = steps[steps.partition_point(|(step, _)| *step <= slot) - 1].1;
        (bytes as f64 / by[slot].max(1.0)).ln()
    };
    let logs: Vec<f64> = (from..=to).map(log).collect();
    let mean = logs.iter().sum::<f64>() / logs.len() as f64;
    logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / logs.len() as f64
}

/// Pearson's chi-square of the survivors born in each mature slot against a constant rate.
fn misfit(counter: &Counter, axis: &Axis, cohorts: &[SlotCohort]) -> f64 {
    let mature = axis.mature();
    let counts = counts(cohorts, mature.clone());
    let (total, work) = (counts.iter().sum::<f64>(), counter.over(mature.clone()));
    if total == 0.0 || work == 0.0 {
        return if work == 0.0 { f64::MAX } else { 0.0 };
    }
    let term = |(slot, count): (usize, &f64)| {
        // Half a block of slack keeps slots without work finite.
        let expected = total * counter.over(slot..slot + 1) / work + 0.5;
        (count + 0.5 - expected).powi(2) / expected
    };
    mature.zip(&counts).map(term).sum()
}

/// Survivors by slot of birth.
pub(super) fn counts(cohorts: &[SlotCohort], slots: std::ops::Range<usize>) -> Vec<f64> {
    let mut counts = vec![0.0; slots.len()];
    for cohort in cohorts.iter().filter(|cohort| slots.contains(&cohort.slot)) {
        counts[cohort.slot - slots.start] += cohort.objects as f64;
    }
    counts
}
