//! Channel A: do old blocks keep piling up?
//!
//! Not "does the live curve rise", which is true of load, caches and warm-up alike, but: of the
//! blocks born after warm-up, are those older than half of what remains still there, do they come
//! from all over the run, at an undiminished rate, and do they hardly ever die?

use std::cmp::Ordering;
use std::ops::Range;

use serde::Serialize;

use super::class::Class;
use super::counter::{self, Choice, Progress};
use super::eprocess::Purse;
use super::rate::Rate;
use super::rule::Rule;
use crate::axis::Axis;
use crate::series::{SiteSeries, SlotCohort};

/// Fewer survivors than this are no growth.
const LEAST_SURVIVORS: f64 = 4.0;
/// A sampled recording must have caught this many of them.
const LEAST_SAMPLED: f64 = 16.0;
/// The old population must rise by this share of the survivors,
const LEAST_RISE: f64 = 0.3;
/// and in the last quarter of the steps still at this share of its pace before.
const LEAST_LATE_RISE: f64 = 0.4;
/// whatever counter was chosen, at this share of its pace in time,
const LEAST_LATE_RISE_IN_TIME: f64 = 0.25;
/// and in a sampled recording by so many standard errors.
const LATE_ERRORS: f64 = 2.0;
/// Survivors must come from this many slots,
const LEAST_SLOTS: usize = 4;
/// and from this many of four quarters.
const LEAST_QUARTERS: usize = 3;
/// The second half must keep this share of the first half's rate,
const LEAST_PACE: f64 = 0.5;
/// and the blocks that are almost mature this share of the rate before.
const LEAST_STILL: f64 = 0.4;
/// Of each mature block as many may die in the time it takes to mature;
const MOST_DEATHS: f64 = 2.4;
/// if the older a cohort the fewer are left of it, no more often than this.
const MOST_DEATHS_FADING: f64 = 0.5;
/// Second half against first half of the survivors, above which they fade with age.
const FADING: f64 = 1.5;

/// What the cohorts of a site say.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Objects {
    /// The class they give it.
    pub class: Class,
    /// For suspects: how many more snapshots decide.
    pub needs_snapshots: Option<u32>,
    /// Mature blocks born after warm-up that are alive at the end.
    pub survivors: u64,
    /// Their bytes.
    pub survivor_bytes: u64,
    /// Slots that they could have been born in,
    pub slots: usize,
    /// and were.
    pub slots_with_survivors: usize,
    /// Quarters of the work in which some were born.
    pub quarters_with_survivors: usize,
    /// Steps of the mature population: up,
    pub ups: usize,
    /// down,
    pub downs: usize,
    /// and in all.
    pub steps: usize,
    /// Evidence against "it rises by chance"; at least 0, expected to be at most 1 by chance.
    pub e_value: f64,
    /// Old blocks, whenever born, when the first evidence was mature,
    pub old_at_start: u64,
    /// and at the end.
    pub old_at_end: u64,
    /// Survivors per work: second half of the mature births against the first.
    pub pace: f64,
    /// The same per time.
    #[serde(skip)]
    pub pace_in_time: f64,
    /// Survivors per work: those that are almost mature against the mature.
    pub still: f64,
    /// Rise of the old population per work: last quarter of the steps against the others.
    pub late_rise: f64,
    /// Whether that is within the error of a sampled recording.
    #[serde(skip)]
    pub late_in_doubt: bool,
    /// Mature blocks that died,
    pub deaths: u64,
    /// and how many there were to die, summed over the slots.
    pub exposure: u64,
    /// Work done in the mature slots.
    pub work: f64,
}

impl Objects {
    /// Growth per unit of work.
    pub(super) fn rate(&self, progress: &Progress) -> Rate {
        let per_op = |count: f64| if self.work > 0.0 { count / self.work } else { 0.0 };
        let (objects, bytes) = (self.survivors as f64, self.survivor_bytes as f64);
        // Three standard errors of a count.
        let upper = bytes * (1.0 + 3.0 / objects.max(1.0).sqrt());
        Rate {
            work: progress.name.clone(),
            objects_per_op: per_op(objects),
            bytes_per_op: per_op(bytes),
            bytes_per_op_upper: per_op(upper),
            ops_per_hour: progress.per_hour,
        }
    }
}

pub(super) fn judge(axis: &Axis, rule: &Rule, choice: &Choice<'_>, series: &SiteSeries) -> Objects {
    let progress = choice.progress;
    let mature = axis.mature();
    let (ups, downs, steps, purse) = steps(axis, series);
    let mut objects = Objects {
        slots: mature.len(),
        ups,
        downs,
        steps,
        e_value: purse.value(),
        deaths: series.mature_deaths(),
        ..Objects::default()
    };
    // A leak counts from its start.
    let born =
        series.cohorts().iter().find(|cohort| mature.contains(&cohort.slot) && cohort.objects > 0);
    let since = born.map_or(mature.start, |cohort| cohort.slot)..mature.end;
    objects.work = progress.over(since.clone());
    count_survivors(&mut objects, series.cohorts(), progress, since.clone());
    let weight = sample_weight(series);
    let slows = slows_down(&mut objects, series.cohorts(), progress, axis, since, weight);
    let rises = old_rises(&mut objects, axis, progress, series);
    objects.class = classify(&objects, Trend { rises, slows }, axis, rule, series);
    if objects.class == Class::Leak
        && choice.is_of_work()
        && fades(&objects, objects.pace_in_time, axis)
    {
        objects.class = Class::Suspect;
    }
    if objects.class == Class::Suspect {
        objects.needs_snapshots = Some(needs(&objects, &purse, axis, rule));
    }
    objects
}

/// What the old population and the survivors do over the run.
#[derive(Clone, Copy)]
struct Trend {
    rises: bool,
    slows: bool,
}

/// The slots at whose end some block can be mature.
fn judged_slots(axis: &Axis) -> Range<usize> {
    let first = (0..axis.len()).find(|&slot| axis.mature_at(slot) > axis.warm_up());
    first.unwrap_or(axis.len())..axis.len()
}

/// Bets on every step of the mature and of the old population; the poorer purse counts.
fn steps(axis: &Axis, series: &SiteSeries) -> (usize, usize, usize, Purse) {
    let (mut mature, mut old) = (Purse::new(), Purse::new());
    let (mut ups, mut downs, mut steps) = (0, 0, 0);
    for slot in judged_slots(axis).skip(1) {
        let (before, now) = (series.row(slot - 1), series.row(slot));
        let step = now.mature_objects.cmp(&before.mature_objects);
        mature.bet(step);
        old.bet(now.old_objects.cmp(&before.old_objects));
        steps += 1;
        ups += usize::from(step == Ordering::Greater);
        downs += usize::from(step == Ordering::Less);
    }
    let poorer = if old.value() < mature.value() { old } else { mature };
    (ups, downs, steps, poorer)
}

fn count_survivors(
    objects: &mut Objects,
    cohorts: &[SlotCohort],
    progress: &Progress,
    mature: Range<usize>,
) {
    let quarter = |slot: usize| {
        let share = |quarter: usize| progress.share(mature.clone(), quarter as f64 / 4.0);
        (1..4).filter(|&quarter| slot >= share(quarter)).count()
    };
    let mut quarters = [false; 4];
    for cohort in
        cohorts.iter().filter(|cohort| mature.contains(&cohort.slot) && cohort.objects > 0)
    {
        objects.survivors = objects.survivors.saturating_add(cohort.objects);
        objects.survivor_bytes = objects.survivor_bytes.saturating_add(cohort.bytes);
        objects.slots_with_survivors += 1;
        quarters[quarter(cohort.slot)] = true;
    }
    objects.quarters_with_survivors = quarters.iter().filter(|quarter| **quarter).count();
}

/// Compares the rates of survival: first half, second half, and almost mature.
fn slows_down(
    objects: &mut Objects,
    cohorts: &[SlotCohort],
    progress: &Progress,
    axis: &Axis,
    since: Range<usize>,
    weight: f64,
) -> bool {
    let count = |slots: Range<usize>| -> f64 { counter::counts(cohorts, slots).iter().sum() };
    let rate = |count: f64, slots: Range<usize>| ratio_or_zero(count, progress.over(slots));
    let middle = progress.middle(since.clone());
    let (first, second) = (since.start..middle, middle..since.end);
    // Young enough to show whether births go on, and old enough that the short-lived are gone.
    let tail = axis.between(0.75, 0.9);
    let (a, b, c) = (count(first.clone()), count(second.clone()), count(tail.clone()));
    objects.pace = ratio(rate(b, second.clone()), rate(a, first.clone()));
    let run = Progress::run(axis);
    let half = run.middle(since.clone());
    let in_time = |slots: Range<usize>| ratio_or_zero(count(slots.clone()), run.over(slots));
    objects.pace_in_time = ratio(in_time(half..since.end), in_time(since.start..half));
    let whole = rate(a + b, since);
    objects.still = ratio(rate(c, tail.clone()), whole);
    // A small count has the benefit of one standard error.
    let slack = |count: f64| count + (weight * (count + weight)).sqrt();
    let before = whole.max(rate(a, first.clone()));
    rate(slack(b), second) < LEAST_PACE * rate(a, first)
        || rate(slack(c), tail) < LEAST_STILL * before
}

fn ratio_or_zero(a: f64, b: f64) -> f64 {
    if b > 0.0 { a / b } else { 0.0 }
}

/// `a / b`, where nothing against nothing is even.
fn ratio(a: f64, b: f64) -> f64 {
    if b > 0.0 {
        a / b
    } else if a > 0.0 {
        f64::from(u16::MAX)
    } else {
        1.0
    }
}

/// The old population rises through all three thirds of the judged slots, to the last.
fn old_rises(objects: &mut Objects, axis: &Axis, progress: &Progress, series: &SiteSeries) -> bool {
    let slots = judged_slots(axis);
    let old = |slot: usize| series.row(slot).old_objects;
    let (Some(first), Some(last)) = (slots.clone().next(), slots.clone().last()) else {
        return false;
    };
    (objects.old_at_start, objects.old_at_end) = (old(first), old(last));
    let mature = |slot: usize| series.row(slot).mature_objects;
    objects.exposure = slots.clone().map(mature).fold(0, u64::saturating_add);
    let after = |share: f64| axis.share_of(first, share).max(first);
    let least = |slots: Range<usize>| slots.map(old).min();
    let (second, third) = (after(1.0 / 3.0), after(2.0 / 3.0));
    let thirds = (least(first..second), least(second..third), least(third..last + 1));
    let (Some(a), Some(b), Some(c)) = thirds else { return false };
    let rise = objects.old_at_end as f64 - objects.old_at_start as f64;
    let goes_on = late_rise(objects, axis, progress, series, first..last);
    a <= b && b < c && goes_on && rise >= LEAST_RISE * objects.survivors as f64
}

/// The old population goes on rising by what was born in the last quarter of the mature time.
fn late_rise(
    objects: &mut Objects,
    axis: &Axis,
    progress: &Progress,
    series: &SiteSeries,
    judged: Range<usize>,
) -> bool {
    let old = |slot: usize| series.row(slot).old_objects as f64;
    let Range { start: first, end: last } = judged;
    let whole = axis.mature_at(first)..axis.mature_at(last);
    let run = Progress::run(axis);
    let quarter = run.share(whole.clone(), 0.75);
    // A long slot at the end may be more than the last quarter.
    let matures_later = |slot: &usize| axis.mature_at(*slot) < whole.end;
    let turn = (first..last)
        .find(|&slot| axis.mature_at(slot) >= quarter)
        .filter(matures_later)
        .or_else(|| (first..last).rfind(matures_later))
        .unwrap_or(last);
    let (before, late) = (old(turn) - old(first), old(last) - old(turn));
    // What matures late was born in these slots.
    let born = axis.mature_at(turn)..whole.end;
    let expected = |progress: &Progress| {
        let pace = ratio_or_zero(before, progress.over(whole.start..born.start));
        pace * progress.over(born.clone())
    };
    let by_work = expected(progress);
    objects.late_rise = ratio(late, by_work);
    let seen = late + (late.max(0.0) + 1.0).sqrt();
    let weight = sample_weight(series);
    objects.late_in_doubt = weight > 1.0 && late < LATE_ERRORS * (weight * by_work.max(0.0)).sqrt();
    seen >= LEAST_LATE_RISE * by_work && seen >= LEAST_LATE_RISE_IN_TIME * expected(&run)
}

fn classify(
    objects: &Objects,
    trend: Trend,
    axis: &Axis,
    rule: &Rule,
    series: &SiteSeries,
) -> Class {
    let survivors = objects.survivors as f64;
    if survivors < LEAST_SURVIVORS {
        return if follows_load(axis, series) { Class::Load } else { Class::Stable };
    }
    if objects.slots_with_survivors < LEAST_SLOTS
        || objects.quarters_with_survivors < LEAST_QUARTERS
    {
        return Class::OneOff;
    }
    if trend.slows {
        return Class::Saturating;
    }
    if !trend.rises || deaths(objects, axis) > MOST_DEATHS || fades(objects, objects.pace, axis) {
        return Class::Turnover;
    }
    let weight = sample_weight(series);
    let caught = weight <= 1.0 || survivors >= LEAST_SAMPLED * weight && !objects.late_in_doubt;
    let proven = objects.e_value >= 1.0 / rule.alpha && axis.len() >= rule.least_slots;
    if caught && proven { Class::Leak } else { Class::Suspect }
}

/// How often a mature block dies in the time it takes to mature.
fn deaths(objects: &Objects, axis: &Axis) -> f64 {
    let per_slot = objects.deaths as f64 / (objects.exposure as f64).max(1.0);
    per_slot * (axis.len() - axis.mature().end) as f64
}

/// The older a cohort, the fewer are left of it, because mature blocks die.
fn fades(objects: &Objects, pace: f64, axis: &Axis) -> bool {
    pace > FADING && deaths(objects, axis) > MOST_DEATHS_FADING
}

/// How many blocks a sampled one stands for; 1 in an exact recording.
fn sample_weight(series: &SiteSeries) -> f64 {
    let totals = series.totals();
    1.0 + totals.objects_error.powi(2) / (totals.live_objects as f64).max(1.0)
}

/// Live blocks at least double over the run, though none of them stays.
fn follows_load(axis: &Axis, series: &SiteSeries) -> bool {
    let live = (axis.warm_up()..axis.len()).map(|slot| series.row(slot).trough_objects);
    let (least, most) = live.fold((u64::MAX, 0), |(a, b), n| (a.min(n), b.max(n)));
    most >= 16 && most / 2 >= least
}

/// A run of `n` slots has about `3n/8` steps; so many more of them are up as were up so far.
fn needs(objects: &Objects, purse: &Purse, axis: &Axis, rule: &Rule) -> u32 {
    let up_share = (objects.ups as f64 / objects.steps.max(1) as f64).max(0.1);
    let steps = f64::from(purse.ups_to(1.0 / rule.alpha)) / up_share;
    let slots = (steps * 8.0 / 3.0).ceil() as u32;
    let missing = rule.least_slots.saturating_sub(axis.len()) as u32;
    slots.max(missing).max(1)
}
