//! Does a call site keep more with every few calls?
//!
//! `docs/VERDICT.md` judges runs in which something is always under way, so it asks for the age of blocks.
//! Here a call is over when it is looked at, and nothing of it need be alive: what counts is how much
//! more is alive after each. Pure functions of those levels, one number for each call.

use std::cmp::Ordering;

use heaptide_analyze::verdict::{Rule, e_value};

/// Fewer blocks than this are no growth, as in `docs/VERDICT.md` ("survivors").
const LEAST_OBJECTS: i64 = 4;
/// They must be added in this many of four quarters of the calls, the last among them: what stopped is
/// full.
const LEAST_QUARTERS: usize = 3;
/// The second half of the calls must add this share of what the first half added: what fills up slows
/// down.
const LEAST_PACE: f64 = 0.5;
/// A container of fewer bytes than this is not looked at.
const LEAST_BYTES: i64 = 1024;
/// A step counts from this factor on.
const STEP: f64 = 1.2;
/// So many steps make a schedule: two gaps between them, and whether the next is overdue.
const LEAST_STEPS: usize = 4;
/// Bytes must grow like calls to this power at least, over the last eight-fold and four-fold of the calls:
/// the high water of a random walk grows like the square root.
const LEAST_EXPONENT: f64 = 0.6;
/// After this share of the calls a container that grows holds no more than it keeps for good; a buffer that
/// is as large as the call needs does.
const LEAST_HELD: f64 = 0.9;
/// Nothing that doubles pauses until there were more than this many times the calls,
const LONGEST_GAP: f64 = 2.0;
/// or a little later.
const GRACE: f64 = 1.1;

/// How the blocks of a site grew in number.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct ObjectGrowth {
    /// Blocks added for good.
    pub(crate) objects: i64,
    /// In how many of four quarters of the calls.
    pub(crate) quarters: usize,
    /// Whether the last quarter is one of them.
    pub(crate) goes_on: bool,
    /// What the second half added against the first.
    pub(crate) pace: f64,
    /// Calls after which more were alive than before.
    pub(crate) ups: usize,
    /// Calls.
    pub(crate) calls: usize,
    /// Evidence against chance.
    pub(crate) e_value: f64,
}

impl ObjectGrowth {
    /// Measures the levels after each call, the first of them from before the calls that count.
    pub(crate) fn of(levels: &[i64]) -> Self {
        let kept = kept_for_good(levels);
        let calls = levels.len().saturating_sub(1);
        let at = |quarter: usize| kept.get(calls * quarter / 4).copied().unwrap_or_default();
        let added: Vec<i64> = (0..4).map(|quarter| at(quarter + 1) - at(quarter)).collect();
        let (first, second) = (added[0] + added[1], added[2] + added[3]);
        let steps: Vec<Ordering> = levels.windows(2).map(|pair| pair[1].cmp(&pair[0])).collect();
        Self {
            objects: at(4) - at(0),
            quarters: added.iter().filter(|added| **added > 0).count(),
            goes_on: added[3] > 0,
            pace: if first > 0 { second as f64 / first as f64 } else { f64::INFINITY },
            ups: steps.iter().filter(|step| step.is_gt()).count(),
            calls,
            e_value: e_value(&steps),
        }
    }

    /// Whether it grows as a leak does, were it not for chance.
    pub(crate) fn is_steady(&self) -> bool {
        self.objects >= LEAST_OBJECTS
            && self.quarters >= LEAST_QUARTERS
            && self.goes_on
            && self.pace >= LEAST_PACE
    }

    /// Whether it is a leak: see `docs/VERDICT.md`, "In a test".
    pub(crate) fn is_proven(&self) -> bool {
        self.is_steady() && self.e_value >= 1.0 / Rule::default().alpha
    }
}

/// Of the levels, what later ones never fall below: a buffer that is flushed now and then keeps nothing.
fn kept_for_good(levels: &[i64]) -> Vec<i64> {
    let mut kept = levels.to_vec();
    for k in (1..kept.len()).rev() {
        kept[k - 1] = kept[k - 1].min(kept[k]);
    }
    kept
}

/// Whether more is kept for good after the last of the levels than after the first.
pub(crate) fn rises(levels: &[i64]) -> bool {
    let kept = kept_for_good(levels);
    kept.first().zip(kept.last()).is_some_and(|(first, last)| last > first)
}

/// Whether a container grows whenever the calls have doubled. `bytes` are those after each call, the
/// first from before all calls.
pub(crate) fn grows_on_schedule(bytes: &[i64]) -> bool {
    let kept = kept_for_good(bytes);
    let calls = kept.len().saturating_sub(1);
    let Some(&last) = kept.last().filter(|last| **last >= LEAST_BYTES) else { return false };
    let steps = steps(&kept);
    let Some(&last_step) = steps.last().filter(|_| steps.len() >= LEAST_STEPS) else {
        return false;
    };
    let is_due = (calls as f64) <= last_step as f64 * LONGEST_GAP * GRACE;
    let grows_over = |fold: usize| {
        let before = kept[calls / fold].max(1);
        last as f64 / before as f64 >= (fold as f64).powf(LEAST_EXPONENT)
    };
    let recent = &steps[steps.len() - LEAST_STEPS..];
    let keeps_pace = recent.windows(2).all(|pair| {
        let gap = pair[1] as f64 / pair[0].max(1) as f64;
        gap <= LONGEST_GAP * GRACE
    });
    let n_held = kept.iter().zip(bytes).filter(|(kept, now)| kept == now).count();
    let is_held = n_held as f64 >= LEAST_HELD * kept.len() as f64;
    is_due && is_held && keeps_pace && grows_over(8) && grows_over(4)
}

/// The calls after which the bytes outgrew all before by a step.
fn steps(bytes: &[i64]) -> Vec<usize> {
    let mut largest = 0i64;
    let mut steps = Vec::new();
    for (call, &now) in bytes.iter().enumerate() {
        if now > 0 && now as f64 >= largest as f64 * STEP {
            largest = now;
            steps.push(call);
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What blocks are kept after so many calls, and whether that is a leak.
    #[track_caller]
    fn check(what: &str, calls: i64, kept: impl Fn(i64) -> i64, is_leak: bool) {
        let levels: Vec<i64> = (0..=calls).map(kept).collect();
        let growth = ObjectGrowth::of(&levels);
        assert_eq!(growth.is_proven(), is_leak, "{what}: {growth:?}");
    }

    #[test]
    fn a_leak_is_what_goes_on() {
        check("nothing", 40, |_| 0, false);
        check("one a call", 40, |call| call, true);
        check("seven a call", 40, |call| 7 * call, true);
        check("one in fifty", 420, |call| call / 50, true);
        check("one in fifty, too early", 300, |call| call / 50, false);
        check("a cache that is full", 40, |call| call.min(20), false);
        check(
            "keys that run out",
            400,
            |call| (20.0 * (1.0 - (-call as f64 / 80.0).exp())) as i64,
            false,
        );
        check("high water", 500, |call| ((call + 1) as f64).ln() as i64, false);
        check("a buffer that is flushed", 63, |call| call % 16, false);
        check("a buffer that is flushed, and leaks", 400, |call| call % 16 + call / 10, true);
        check("one burst", 40, |call| if call > 20 { 30 } else { 0 }, false);
        check("up and down", 400, |call| call * 7 % 13, false);
    }

    #[track_caller]
    fn check_container(what: &str, calls: i64, bytes: impl Fn(i64) -> i64, is_leak: bool) {
        let bytes: Vec<i64> = (0..=calls).map(bytes).collect();
        assert_eq!(grows_on_schedule(&bytes), is_leak, "{what}");
    }

    #[test]
    fn a_container_leaks_while_it_keeps_to_its_schedule() {
        let vector = |len: i64| {
            if len == 0 { 0 } else { 8 * (len as u64).next_power_of_two().max(4) as i64 }
        };
        check_container("a vector", 600, vector, true);
        check_container("a vector that is bounded", 600, |call| vector(call.min(200)), false);
        check_container("a small one", 60, vector, false);
        check_container("one of fixed size", 600, |_| 8192, false);
        check_container("a buffer of random sizes", 600, |call| 64 * (1 + call * 37 % 61), false);
        check_container("made large once", 600, |call| if call > 300 { 1 << 20 } else { 0 }, false);
        let map = |len: i64| 48 * ((len * 8 / 7 + 1) as u64).next_power_of_two() as i64;
        check_container("a map", 600, map, true);
        let walk = |call: i64| vector((call as f64).sqrt() as i64);
        check_container("the high water of a walk", 6000, walk, false);
    }
}
