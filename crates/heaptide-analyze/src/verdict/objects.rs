//! Channel A: do old blocks keep piling up?
//!
//! Not "does the live curve rise", which is true of load, caches and warm-up alike, but: of the
//! blocks born after warm-up, are the mature ones still there, do they come from all over the run,
//! at an undiminished rate, and do they hardly ever die?
//!
//! First everything is measured, then pure predicates look at the measures, one for each gate of
//! the rule (`docs/VERDICT.md`, "Channel A: objects"). The constants of the gates were chosen on the
//! tuning set described there under "Figures"; below stands what each of them is there to tell
//! apart.

use std::cmp::Ordering;
use std::ops::Range;

use serde::Serialize;

use super::class::Class;
use super::counter::{self, ChosenCounter, Counter};
use super::eprocess::EProcess;
use super::level::{self, SurvivorBirths};
use super::rate::Rate;
use super::rule::Rule;
use crate::axis::Axis;
use crate::series::{SiteSeries, SlotCohort};

/// Fewer survivors than this are no growth: they could not come from [`LEAST_SLOTS`] slots.
const LEAST_SURVIVORS: f64 = 4.0;
/// A sampled recording must have caught this many survivors: the standard error of their number is
/// then a quarter of it.
const LEAST_SAMPLED: f64 = 16.0;
/// The old population must rise by this share of the survivors. A leak's rises by nearly all of
/// them; a cache that turns over replaces its old blocks by survivors and hardly rises.
const LEAST_RISE: f64 = 0.3;
/// In the last quarter of the steps the old population must rise at this share of its pace before.
/// Below the half that [`LEAST_PACE`] asks of births, because a quarter holds fewer of them.
const LEAST_LATE_RISE: f64 = 0.4;
/// The same in time instead of work: no choice of counter may excuse a population that has stopped
/// rising. Lower, because traffic itself may fall.
const LEAST_LATE_RISE_IN_TIME: f64 = 0.25;
/// In a sampled recording the late rise must be this many standard errors above nothing.
const LATE_ERRORS: f64 = 2.0;
/// Survivors must come from this many slots: a reload or a plug-in takes one to three.
const LEAST_SLOTS: usize = 4;
/// Survivors must come from this many of four quarters of the work since the first of them, so that
/// a burst that happens to span four slots is a one-off all the same.
const LEAST_QUARTERS: usize = 3;
/// The second half of the births must keep this share of the first half's rate. A set of keys that
/// is exhausted or a cache that fills falls below it; a leak that slows by a third does not.
const LEAST_PACE: f64 = 0.5;
/// The blocks that are almost mature must keep this share of the rate before: what stopped lately
/// shows here first. Below [`LEAST_PACE`], because they come from a shorter stretch.
const LEAST_STILL: f64 = 0.4;
/// Blocks of this stretch of the run are almost mature: young enough to show whether births go on,
/// and old enough that the short-lived are gone.
const ALMOST_MATURE: Range<f64> = 0.75..0.9;
/// Of the blocks born in this stretch some may yet die, so they bound those that will be left.
const YOUNGEST: Range<f64> = 0.9..1.0;
/// Where even the youngest are fewer than this share of the rate before, by two standard errors, it
/// is over.
const LEAST_YOUNG: f64 = 0.4;
/// Where the youngest are fewer than this share of the rate before, by one standard error, it may be
/// over.
const LEAST_YOUNG_FOR_SURE: f64 = 0.5;
/// Survivors that came in bursts must be so many standard errors of their number: a pool grows to
/// each new peak of its load by a burst.
const LEAST_ERRORS: f64 = 2.5;
/// So many separate bursts that leave everything behind are no accident.
const LEAST_BURSTS: usize = 3;
/// The site as a whole must vary by this share of the rise of its old blocks: a full cache keeps its
/// size while some of its entries grow old.
const LEAST_VARIATION: f64 = 0.1;
/// As many of the mature blocks may die per mature block in the time it takes to mature. At 2.4 one
/// in eleven lives as long again, so that a site most of whose blocks rightly die late can leak.
const MOST_DEATHS: f64 = 2.4;
/// The same where the older a cohort is the fewer are left of it: then the survivors are on their
/// way out as well.
const MOST_DEATHS_FADING: f64 = 0.5;
/// Cohorts fade with age if the second half of the births has this many times the survivors of the
/// first per work.
const FADING: f64 = 1.5;
/// Blocks from before the recording that end while the survivors are born may be what these replace.
/// If they are this share of the survivors at least, most of the growth may be none.
const LEAST_REPLACED: f64 = 0.5;
/// Live blocks that come to fewer than this follow no load: a handful doubles by chance.
const LEAST_LOAD: u64 = 16;
/// The standard errors of a count within which the upper bound of a rate lies.
const UPPER_BOUND_ERRORS: f64 = 3.0;

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
    /// Slots that they could have been born in.
    pub slots: usize,
    /// Slots that some of them were born in.
    pub slots_with_survivors: usize,
    /// Quarters of the work in which some were born.
    pub quarters_with_survivors: usize,
    /// Steps up of the mature population.
    pub ups: usize,
    /// Steps down of the mature population.
    pub downs: usize,
    /// Steps of the mature population, those without a change included.
    pub steps: usize,
    /// Evidence against "it rises by chance"; at least 0, expected to be at most 1 by chance.
    pub e_value: f64,
    /// Old blocks, whenever born, when the first evidence was mature.
    pub old_at_start: u64,
    /// Old blocks, whenever born, at the end.
    pub old_at_end: u64,
    /// Survivors per work: second half of the mature births against the first.
    pub pace: f64,
    /// Survivors per work: those that are almost mature against the mature.
    pub still: f64,
    /// Whether any that were born in the last tenth of the run are alive.
    #[serde(skip)]
    pub goes_on: bool,
    /// Rise of the old population per work: last quarter of the steps against the others.
    pub late_rise: f64,
    /// Mature blocks that died.
    pub deaths: u64,
    /// Mature blocks there were to die, summed over the slots.
    pub exposure: u64,
    /// Work done in the mature slots.
    pub work: f64,
    /// Blocks from before the recording that ended while the survivors were born, where these may
    /// be what took their place.
    #[serde(skip)]
    pub replaced: Option<u64>,
}

impl Objects {
    /// Growth per unit of work.
    pub(super) fn rate(&self, counter: &Counter) -> Rate {
        let per_op = |count: f64| if self.work > 0.0 { count / self.work } else { 0.0 };
        let (objects, bytes) = (self.survivors as f64, self.survivor_bytes as f64);
        let upper = bytes * (1.0 + UPPER_BOUND_ERRORS / objects.max(1.0).sqrt());
        Rate {
            work: counter.name.clone(),
            objects_per_op: per_op(objects),
            bytes_per_op: per_op(bytes),
            bytes_per_op_upper: per_op(upper),
            ops_per_hour: counter.per_hour,
        }
    }
}

/// Measures what the cohorts of a site say, and names the class.
pub(super) fn classify_objects(
    axis: &Axis,
    rule: &Rule,
    chosen: &ChosenCounter<'_>,
    series: &SiteSeries,
) -> Objects {
    let counter = chosen.counter;
    let mature = axis.mature();
    // A leak counts from its start.
    let first_born = |cohort: &&SlotCohort| mature.contains(&cohort.slot) && cohort.objects > 0;
    let born = series.cohorts().iter().find(first_born);
    let since = born.map_or(mature.start, |cohort| cohort.slot)..mature.end;
    let rise = Rise::of(axis, counter, series);
    let births = Births::of(series, counter, axis, &since);
    let survivor_births = SurvivorBirths {
        per_work: births.whole,
        burstiness: births.burstiness,
        since: since.start,
        counter,
    };
    let measures = Measures {
        steps: Steps::of(axis, series),
        survivors: Survivors::of(series.cohorts(), counter, &since),
        stops_rising: level::stops_rising(axis, series, &survivor_births),
        replaced: axis.freed_from_before(since.clone()),
        births,
        deaths_per_maturing: deaths_per_maturing(axis, series, rise.exposure),
        rise,
        sample_weight: sample_weight(series),
    };
    let class = classify(&measures, chosen, axis, rule, series);
    // It takes about a run as long again to see that what was there before has all been replaced.
    let least = if measures.may_replace() { axis.len() as u32 } else { 0 };
    let needs = || needs(&measures.steps, axis, rule).max(least);
    let Measures { steps, survivors, births, rise, .. } = &measures;
    let late = rise.late.unwrap_or_default();
    Objects {
        class,
        needs_snapshots: (class == Class::Suspect).then(needs),
        survivors: survivors.objects,
        survivor_bytes: survivors.bytes,
        slots: mature.len(),
        slots_with_survivors: survivors.slots,
        quarters_with_survivors: survivors.quarters,
        ups: steps.ups,
        downs: steps.downs,
        steps: steps.all,
        e_value: steps.e_process.value(),
        old_at_start: rise.old_at_start,
        old_at_end: rise.old_at_end,
        pace: births.pace(),
        still: births.still(),
        goes_on: births.youngest > 0.0,
        late_rise: late.rise,
        deaths: series.mature_deaths(),
        exposure: rise.exposure,
        replaced: measures.may_replace().then_some(measures.replaced),
        work: counter.over(since),
    }
}

/// All that the predicates look at.
struct Measures {
    steps: Steps,
    survivors: Survivors,
    births: Births,
    rise: Rise,
    /// Whether the site as a whole stopped rising.
    stops_rising: bool,
    /// Blocks from before the recording that ended while the survivors were born.
    replaced: u64,
    deaths_per_maturing: f64,
    /// How many blocks a recorded one stands for.
    sample_weight: f64,
}

/// The first gate that fails names the class.
fn classify(
    measures: &Measures,
    chosen: &ChosenCounter<'_>,
    axis: &Axis,
    rule: &Rule,
    series: &SiteSeries,
) -> Class {
    let Measures { steps, survivors, births, rise, .. } = measures;
    if (survivors.objects as f64) < LEAST_SURVIVORS {
        return if follows_load(axis, series) { Class::Load } else { Class::Stable };
    }
    if survivors.slots < LEAST_SLOTS || survivors.quarters < LEAST_QUARTERS {
        let recurs = series.mature_deaths() == 0 && recurs(axis, series.cohorts());
        return if recurs { Class::Suspect } else { Class::OneOff };
    }
    if births.slow_down() {
        return Class::Saturating;
    }
    let dies = measures.deaths_per_maturing > MOST_DEATHS;
    if !rise.goes_on(survivors.objects) || dies || measures.fades(births.pace()) {
        return Class::Turnover;
    }
    let proven = steps.e_process.value() >= 1.0 / rule.alpha && axis.len() >= rule.least_slots;
    // A counter among several may have been chosen because it hides that the cohorts fade.
    let hidden = chosen.is_of_work() && measures.fades(births.pace_in_time);
    let in_doubt = hidden
        || births.may_be_over()
        || births.are_erratic()
        || measures.stops_rising
        || measures.may_replace();
    match proven && measures.is_caught() && !in_doubt {
        true => Class::Leak,
        false => Class::Suspect,
    }
}

impl Measures {
    /// The older a cohort, the fewer are left of it, because mature blocks die.
    fn fades(&self, pace: f64) -> bool {
        pace > FADING && self.deaths_per_maturing > MOST_DEATHS_FADING
    }

    /// Whether the survivors may stand in for blocks that nobody recorded: a cache that was full
    /// before the recording began frees one of those for each that it takes in.
    fn may_replace(&self) -> bool {
        let survivors = self.survivors.objects as f64;
        survivors > 0.0 && self.replaced as f64 >= LEAST_REPLACED * survivors
    }

    /// An exact recording sees everything; a sampled one must have seen enough of it.
    fn is_caught(&self) -> bool {
        let enough = self.survivors.objects as f64 >= LEAST_SAMPLED * self.sample_weight;
        let late_in_doubt = self.rise.late.is_some_and(|late| late.is_in_doubt(self.sample_weight));
        self.sample_weight <= 1.0 || enough && !late_in_doubt
    }
}

/// The slots at whose end some block can be mature.
fn judged_slots(axis: &Axis) -> Range<usize> {
    let first = (0..axis.len()).find(|&slot| axis.mature_at(slot) > axis.warm_up());
    first.unwrap_or(axis.len())..axis.len()
}

/// The steps of the mature population from slot to slot.
struct Steps {
    ups: usize,
    downs: usize,
    all: usize,
    /// Bets on every step of the mature and of the old population; the poorer of the two counts.
    e_process: EProcess,
}

impl Steps {
    fn of(axis: &Axis, series: &SiteSeries) -> Self {
        let (mut mature, mut old) = (EProcess::new(), EProcess::new());
        let (mut ups, mut downs, mut all) = (0, 0, 0);
        for slot in judged_slots(axis).skip(1) {
            let (before, now) = (series.row(slot - 1), series.row(slot));
            let step = now.mature_objects.cmp(&before.mature_objects);
            mature.bet(step);
            old.bet(now.old_objects.cmp(&before.old_objects));
            all += 1;
            ups += usize::from(step == Ordering::Greater);
            downs += usize::from(step == Ordering::Less);
        }
        let e_process = if old.value() < mature.value() { old } else { mature };
        Self { ups, downs, all, e_process }
    }
}

/// The mature blocks that are alive at the end, and how widely their births are spread.
struct Survivors {
    objects: u64,
    bytes: u64,
    slots: usize,
    quarters: usize,
}

impl Survivors {
    fn of(cohorts: &[SlotCohort], counter: &Counter, since: &Range<usize>) -> Self {
        let quarter = |slot: usize| {
            let share = |quarter: usize| counter.share(since.clone(), quarter as f64 / 4.0);
            (1..4).filter(|&quarter| slot >= share(quarter)).count()
        };
        let mut survivors = Self { objects: 0, bytes: 0, slots: 0, quarters: 0 };
        let mut quarters = [false; 4];
        for cohort in cohorts.iter().filter(|c| since.contains(&c.slot) && c.objects > 0) {
            survivors.objects = survivors.objects.saturating_add(cohort.objects);
            survivors.bytes = survivors.bytes.saturating_add(cohort.bytes);
            survivors.slots += 1;
            quarters[quarter(cohort.slot)] = true;
        }
        survivors.quarters = quarters.iter().filter(|quarter| **quarter).count();
        survivors
    }
}

/// How many blocks per work were born and are alive: in the first half of the mature work, in the
/// second, over both, and among those that are almost mature.
struct Births {
    first: f64,
    second: f64,
    whole: f64,
    almost_mature: f64,
    /// With the benefit of one standard error, which decides where counts are small.
    second_at_most: f64,
    almost_mature_at_most: f64,
    youngest: f64,
    /// With the benefit of one standard error, and of two.
    youngest_at_most: [f64; 2],
    /// The variance of their number over the number: 1 where they are born one by one.
    burstiness: f64,
    /// Their number in the mature slots.
    mature: f64,
    /// Second half against the first per time, where the halves are of time as well.
    pace_in_time: f64,
}

impl Births {
    fn of(series: &SiteSeries, counter: &Counter, axis: &Axis, since: &Range<usize>) -> Self {
        let count =
            |slots: Range<usize>| -> f64 { counter::counts(series.cohorts(), slots).iter().sum() };
        let rate =
            |count: f64, slots: &Range<usize>| ratio_or_zero(count, counter.over(slots.clone()));
        let middle = counter.middle(since.clone());
        let (first, second) = (since.start..middle, middle..since.end);
        let almost = axis.between(ALMOST_MATURE.start, ALMOST_MATURE.end);
        let (a, b, c) = (count(first.clone()), count(second.clone()), count(almost.clone()));
        let run = Counter::run(axis);
        let half = run.middle(since.clone());
        let in_time = |slots: Range<usize>| ratio_or_zero(count(slots.clone()), run.over(slots));
        let weight = sample_weight(series);
        let at_most = |count: f64| count + (weight * (count + weight)).sqrt();
        let youngest = axis.between(YOUNGEST.start, YOUNGEST.end);
        let d = count(youngest.clone());
        // Births in bursts are as uncertain as bursts are few.
        let bursts = weight.max(burstiness(series.cohorts(), counter, since));
        let young = |errors: f64| rate(d + errors * (bursts * (d + bursts)).sqrt(), &youngest);
        Self {
            first: rate(a, &first),
            second: rate(b, &second),
            whole: rate(a + b, since),
            almost_mature: rate(c, &almost),
            second_at_most: rate(at_most(b), &second),
            almost_mature_at_most: rate(at_most(c), &almost),
            youngest: rate(d, &youngest),
            youngest_at_most: [young(1.0), young(2.0)],
            burstiness: bursts,
            mature: a + b,
            pace_in_time: ratio(in_time(half..since.end), in_time(since.start..half)),
        }
    }

    fn pace(&self) -> f64 {
        ratio(self.second, self.first)
    }

    fn still(&self) -> f64 {
        ratio(self.almost_mature, self.whole)
    }

    fn slow_down(&self) -> bool {
        self.second_at_most < LEAST_PACE * self.first
            || self.almost_mature_at_most < LEAST_STILL * self.whole.max(self.first)
            || self.youngest_at_most[1] < LEAST_YOUNG * self.whole
    }

    /// Whether they came in so few bursts that their number says little.
    fn are_erratic(&self) -> bool {
        LEAST_ERRORS * (self.burstiness * self.mature).sqrt() > self.mature
    }

    fn may_be_over(&self) -> bool {
        self.youngest_at_most[0] < LEAST_YOUNG_FOR_SURE * self.whole
    }
}

/// What the old population does over the judged slots.
#[derive(Default)]
struct Rise {
    old_at_start: u64,
    old_at_end: u64,
    /// Mature blocks there were to die, summed over the slots.
    exposure: u64,
    /// The most live blocks, whatever their age, less the fewest.
    variation: f64,
    /// The fewest old blocks in each third; absent if a third has no slot.
    least_by_third: Option<[u64; 3]>,
    /// Absent with it.
    late: Option<LateRise>,
}

impl Rise {
    fn of(axis: &Axis, counter: &Counter, series: &SiteSeries) -> Self {
        let slots = judged_slots(axis);
        let old = |slot: usize| series.row(slot).old_objects;
        let (Some(first), Some(last)) = (slots.clone().next(), slots.clone().last()) else {
            return Self::default();
        };
        let mature = |slot: usize| series.row(slot).mature_objects;
        let after = |share: f64| axis.share_of(first, share).max(first);
        let (second, third) = (after(1.0 / 3.0), after(2.0 / 3.0));
        let least = |slots: Range<usize>| slots.map(old).min();
        let thirds = (least(first..second), least(second..third), least(third..last + 1));
        let least_by_third = match thirds {
            (Some(a), Some(b), Some(c)) => Some([a, b, c]),
            _ => None,
        };
        let live = || slots.clone().map(|slot| series.row(slot).trough_objects as f64);
        let variation = live().fold(0.0, f64::max) - live().fold(f64::MAX, f64::min);
        Self {
            variation,
            old_at_start: old(first),
            old_at_end: old(last),
            exposure: slots.clone().map(mature).fold(0, u64::saturating_add),
            least_by_third,
            late: least_by_third.map(|_| LateRise::of(axis, counter, series, first..last)),
        }
    }

    /// The old population rises through all three thirds of the judged slots, to the last, by a
    /// good part of the survivors.
    fn goes_on(&self, survivors: u64) -> bool {
        let (Some([a, b, c]), Some(late)) = (self.least_by_third, self.late) else { return false };
        let rise = self.old_at_end as f64 - self.old_at_start as f64;
        let grows = self.variation >= LEAST_VARIATION * rise;
        grows && a <= b && b < c && late.keeps_pace() && rise >= LEAST_RISE * survivors as f64
    }
}

/// The rise of the old population by what was born in the last quarter of the mature time.
#[derive(Clone, Copy, Default)]
struct LateRise {
    objects: f64,
    /// What it would be at the pace before, per work.
    expected: f64,
    /// What it would be at the pace before, per time.
    expected_in_time: f64,
    /// `objects` against `expected`.
    rise: f64,
}

impl LateRise {
    fn of(axis: &Axis, counter: &Counter, series: &SiteSeries, judged: Range<usize>) -> Self {
        let old = |slot: usize| series.row(slot).old_objects as f64;
        let Range { start: first, end: last } = judged;
        let whole = axis.mature_at(first)..axis.mature_at(last);
        let run = Counter::run(axis);
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
        let expected = |counter: &Counter| {
            let pace = ratio_or_zero(before, counter.over(whole.start..born.start));
            pace * counter.over(born.clone())
        };
        let by_work = expected(counter);
        Self {
            objects: late,
            expected: by_work,
            expected_in_time: expected(&run),
            rise: ratio(late, by_work),
        }
    }

    fn keeps_pace(&self) -> bool {
        let at_most = self.objects + (self.objects.max(0.0) + 1.0).sqrt();
        at_most >= LEAST_LATE_RISE * self.expected
            && at_most >= LEAST_LATE_RISE_IN_TIME * self.expected_in_time
    }

    /// Whether it is within the error of a recording in which a block stands for so many.
    fn is_in_doubt(&self, weight: f64) -> bool {
        let error = (weight * self.expected.max(0.0)).sqrt();
        weight > 1.0 && self.objects < LATE_ERRORS * error
    }
}

/// Whether blocks that stay come in separate bursts, again and again since warm-up, and no smaller
/// ones of late: an outage leaves them behind, and the next one will.
fn recurs(axis: &Axis, cohorts: &[SlotCohort]) -> bool {
    // Of the youngest many may be about to die.
    let counts = counter::counts(cohorts, axis.warm_up()..axis.between(0.0, YOUNGEST.start).end);
    let bursts: Vec<f64> = counts
        .split(|&count| count == 0.0)
        .map(|burst| burst.iter().sum::<f64>())
        .filter(|&blocks| blocks >= LEAST_SURVIVORS)
        .collect();
    let mean = bursts.iter().sum::<f64>() / bursts.len() as f64;
    bursts.len() >= LEAST_BURSTS && bursts.last().is_some_and(|&last| last >= LEAST_STILL * mean)
}

/// The variance of births over their mean: 1 where blocks are born one by one. From slot to slot,
/// so that a rate that rises or falls over the run is no burst.
fn burstiness(cohorts: &[SlotCohort], counter: &Counter, slots: &Range<usize>) -> f64 {
    let mean_work = ratio_or_zero(counter.over(slots.clone()), slots.len() as f64);
    let even = |(slot, count): (usize, f64)| {
        let work = counter.over(slot..slot + 1);
        (work > 0.0).then(|| count * mean_work / work)
    };
    let births = slots.clone().zip(counter::counts(cohorts, slots.clone()));
    let births: Vec<f64> = births.filter_map(even).collect();
    let squares = births.windows(2).map(|pair| (pair[1] - pair[0]).powi(2));
    let variance = ratio_or_zero(squares.sum(), 2.0 * (births.len() as f64 - 1.0));
    ratio_or_zero(variance, births.iter().sum::<f64>() / births.len() as f64)
}

/// How often a mature block dies in the time it takes to mature.
fn deaths_per_maturing(axis: &Axis, series: &SiteSeries, exposure: u64) -> f64 {
    let per_slot = series.mature_deaths() as f64 / (exposure as f64).max(1.0);
    per_slot * (axis.len() - axis.mature().end) as f64
}

/// How many blocks a recorded one stands for; 1 in an exact recording.
fn sample_weight(series: &SiteSeries) -> f64 {
    let totals = series.totals();
    1.0 + totals.objects_error.powi(2) / (totals.counts.live_objects as f64).max(1.0)
}

/// Live blocks at least double over the run, though none of them stays.
fn follows_load(axis: &Axis, series: &SiteSeries) -> bool {
    let live = (axis.warm_up()..axis.len()).map(|slot| series.row(slot).trough_objects);
    let (least, most) = live.fold((u64::MAX, 0), |(a, b), n| (a.min(n), b.max(n)));
    most >= LEAST_LOAD && most / 2 >= least
}

/// How many more snapshots decide. A run of `n` slots has about `3n/8` steps, and of the steps to
/// come as large a share will be up as were up so far.
fn needs(steps: &Steps, axis: &Axis, rule: &Rule) -> u32 {
    let up_share = (steps.ups as f64 / steps.all.max(1) as f64).max(0.1);
    let steps = f64::from(steps.e_process.ups_to(1.0 / rule.alpha)) / up_share;
    let slots = (steps * 8.0 / 3.0).ceil() as u32;
    let missing = rule.least_slots.saturating_sub(axis.len()) as u32;
    slots.max(missing).max(1)
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
