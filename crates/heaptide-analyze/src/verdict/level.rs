//! Does all that a site holds rise as its old blocks do?
//!
//! A cache that is full goes on taking in entries. Which others it removes for them, and when, is
//! its own affair, so for a while neither births nor old blocks say that it is full. What it holds in
//! all says so at once. What is held because of the load moves as well, so a site has stopped rising
//! only if it holds fewer beside those that stay than ever before, and fewer than its trend.

use std::ops::Range;

use super::counter::Counter;
use crate::axis::Axis;
use crate::series::SiteSeries;

/// It is looked for from these shares of the run on: a stop may be late, or hidden by removals that
/// come in waves.
const SINCE: [f64; 2] = [0.75, 0.9];
/// In them the site as a whole must rise by this share of what those that stay alone would add.
const LEAST_RISE: f64 = 0.6;
/// And what is missing must be so many standard errors of that.
const LEAST_ERRORS: f64 = 2.0;

/// How the blocks that stay are born.
#[derive(Clone, Copy, Debug)]
pub(super) struct SurvivorBirths<'a> {
    pub(super) per_work: f64,
    /// The variance of their number over the number.
    pub(super) burstiness: f64,
    /// The slot of the first of them.
    pub(super) since: usize,
    pub(super) counter: &'a Counter,
}

/// Whether the site stopped rising while some of its blocks seem to pile up.
pub(super) fn stops_rising(
    axis: &Axis,
    series: &SiteSeries,
    survivor_births: &SurvivorBirths<'_>,
) -> bool {
    let turns = SINCE.map(|share| axis.between(share, 1.0).start);
    turns
        .into_iter()
        .any(|turn| stays_behind(axis, series, survivor_births, survivor_births.since..turn))
}

/// Whether it rises by too little after a stretch of slots.
fn stays_behind(
    axis: &Axis,
    series: &SiteSeries,
    survivor_births: &SurvivorBirths<'_>,
    before: Range<usize>,
) -> bool {
    let SurvivorBirths { per_work, burstiness, counter, .. } = *survivor_births;
    // What it holds beside those that stay, give or take a constant.
    let beside =
        |slot: usize| series.row(slot).trough_objects as f64 - per_work * counter.over(0..slot + 1);
    let (Some(turn), Some(last)) = (before.clone().next_back(), axis.len().checked_sub(1)) else {
        return false;
    };
    let after = turn + 1..last + 1;
    // By work or by time, whichever excuses more: traffic that falls does less of the one.
    let share = |counter: &Counter| counter.over(after.clone()) / counter.over(before.clone());
    let share = [counter, &Counter::run(axis)].map(share).into_iter().filter(|it| it.is_finite());
    let fall = (beside(before.start) - beside(turn)).max(0.0);
    let trend = beside(turn) - fall * share.fold(0.0, f64::max);
    let least = before.clone().map(beside).fold(trend, f64::min);
    let expected = per_work * counter.over(after.clone());
    let error = (burstiness * (expected + burstiness)).sqrt();
    least - beside(last) > (1.0 - LEAST_RISE) * expected + LEAST_ERRORS * error
}
