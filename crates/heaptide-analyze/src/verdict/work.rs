//! What growth is measured against: the work counter that explains it best, else time.

use crate::axis::{Axis, Slot};
use crate::series::{Cell, SiteSeries};

/// The name of time when it stands in for work.
pub(super) const SECONDS: &str = "seconds";

/// One counter over the slots of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// The counter's name, or `"seconds"`.
    pub name: String,
    /// Its value at the end of each slot.
    pub at: Vec<f64>,
    /// Its pace in this run.
    pub per_hour: f64,
}

impl Progress {
    fn new(name: &str, slots: &[Slot], value: impl Fn(&Slot) -> f64) -> Self {
        let at: Vec<f64> = slots.iter().map(value).collect();
        let whole = |values: &dyn Fn(&Slot) -> f64| match slots {
            [first, .., last] => values(last) - values(first),
            _ => 0.0,
        };
        let hours = whole(&|slot| slot.elapsed_ns as f64) / 3.6e12;
        let done = at.last().copied().unwrap_or(0.0) - at.first().copied().unwrap_or(0.0);
        let per_hour = if hours > 0.0 { (done / hours).max(0.0) } else { 0.0 };
        Self { name: name.to_owned(), at, per_hour }
    }

    /// Work done in the slots of a range.
    pub fn over(&self, slots: std::ops::Range<usize>) -> f64 {
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

/// The counters to choose from: the named one; else all that move after warm-up, and time.
pub(super) fn counters(axis: &Axis, named: Option<&str>) -> Vec<Progress> {
    let slots = axis.slots();
    let seconds = Progress::new(SECONDS, slots, |slot| slot.elapsed_ns as f64 / 1e9);
    let names = slots.last().into_iter().flat_map(|slot| slot.work.keys());
    let mut counters: Vec<Progress> = names
        .filter(|name| named.is_none_or(|named| named == *name))
        .map(|name| {
            Progress::new(name, slots, |slot| slot.work.get(name).copied().unwrap_or(0) as f64)
        })
        .filter(|progress| progress.over(axis.warm_up()..slots.len()) > 0.0)
        .collect();
    if named.is_none() || counters.is_empty() {
        counters.push(seconds);
    }
    counters
}

/// The counter in step with which the survivors were born; the first one if none were. Time has
/// to explain them much better than work does, because work is what a reader can act on.
pub(super) fn best<'a>(counters: &'a [Progress], axis: &Axis, series: &SiteSeries) -> &'a Progress {
    let misfit = |progress: &Progress| {
        let handicap = if progress.name == SECONDS { 2.0 } else { 1.0 };
        handicap * misfit(progress, axis, series.cells())
    };
    let ranked = counters.iter().map(|progress| (misfit(progress), progress));
    let best = ranked.reduce(|best, next| if next.0 < best.0 { next } else { best });
    // `counters` always holds time at least.
    best.map_or(&counters[0], |(_, progress)| progress)
}

/// Pearson's chi-square of the survivors born in each mature slot against a constant rate.
fn misfit(progress: &Progress, axis: &Axis, cells: &[Cell]) -> f64 {
    let mature = axis.mature();
    let counts = counts(cells, mature.clone());
    let (total, work) = (counts.iter().sum::<f64>(), progress.over(mature.clone()));
    if total == 0.0 || work == 0.0 {
        return if work == 0.0 { f64::MAX } else { 0.0 };
    }
    let term = |(slot, count): (usize, &f64)| {
        // Half a block of slack keeps slots without work finite.
        let expected = total * progress.over(slot..slot + 1) / work + 0.5;
        (count + 0.5 - expected).powi(2) / expected
    };
    mature.zip(&counts).map(term).sum()
}

/// Survivors by slot of birth.
pub(super) fn counts(cells: &[Cell], slots: std::ops::Range<usize>) -> Vec<f64> {
    let mut counts = vec![0.0; slots.len()];
    for cell in cells.iter().filter(|cell| slots.contains(&cell.slot)) {
        counts[cell.slot - slots.start] += cell.objects as f64;
    }
    counts
}
