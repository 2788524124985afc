//! Does a quantity of the process grow without end? One rule for bytes and counts.
//!
//! What the allocator and the kernel report is noisy: an arena is taken in one piece, a spike passes,
//! a buffer is there for a moment. So the rule looks at the low water of twelve windows after the
//! warm-up, and asks of it what the verdict asks of a call site: that it rose by more than the noise
//! of its kind, went on to the end at an even pace per unit of work, in many steps, and not by chance.
//! `docs/VERDICT.md` ("The parts of the process") explains each gate and gives the error rates.

use std::cmp::Ordering;

use super::class::PartClass;
use super::progress::Progress;
use super::readings::{Reading, Readings};
use crate::verdict::e_value;

/// Windows after the warm-up, whose low water is judged.
const WINDOWS: usize = 12;
/// The second half must keep this share of the pace of the first.
const LEAST_SECOND_HALF: f64 = 0.4;
/// The last quarter must keep this share of the mean pace.
const LEAST_LAST_QUARTER: f64 = 0.25;
/// Growth that ended in the last sixth of what is judged is not certain: of the last two windows
/// together, and of the last alone, the least share of the pace before.
const LEAST_LAST_SIXTH: f64 = 0.5;
const LEAST_LAST_WINDOW: f64 = 0.25;
/// A single step of a larger share of the growth, and of more than twice what its work explains, is a
/// step: an arena, a table that was doubled, a file that was mapped.
const LARGEST_STEP: f64 = 0.5;
const STEP_BEYOND_WORK: f64 = 2.0;
/// A step of steps: each larger than the one before by this factor, and after as much more work, is
/// what a container does that doubles.
const DOUBLING: f64 = 1.5;
/// So many of them, the last ones of the run, keep to a schedule.
const LEAST_DOUBLINGS: usize = 3;
/// A change of a smaller share of the growth is none of those steps.
const LEAST_DOUBLING: f64 = 0.1;
/// A fall of a larger share of the growth than this is none of a container that only doubles.
const LARGEST_FALL: f64 = 0.05;
/// Growth whose second half keeps less than this share of the pace of the first may be what follows a
/// rising load, or names that are interned ever more rarely.
const EVEN_SECOND_HALF: f64 = 0.75;
/// Low water that fell by a larger share of the growth on the way may fall again.
const LARGEST_EBB: f64 = 0.25;
/// Evidence as for a call site, and the least with which growth beyond the floor is no chance yet.
const ENOUGH_EVIDENCE: f64 = 100.0;
const SOME_EVIDENCE: f64 = 20.0;
/// The least of a quantity that was read a few times: four readings, each above the one before.
const FEW_EVIDENCE: f64 = 5.0;

/// What is noise in one kind of quantity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Noise {
    /// Growth over the judged run that is less than this is too small to say.
    pub(super) least_growth: f64,
    /// A change between two readings that is no more than this is none.
    pub(super) dead_band: f64,
}

/// What the rule makes of one quantity.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Trend {
    pub(super) class: PartClass,
    /// Growth per unit of progress; zero unless it grows or may.
    pub(super) per_op: f64,
    /// Evidence against chance.
    pub(super) e_value: f64,
}

impl Trend {
    pub(super) fn of_class(class: PartClass) -> Self {
        Self { class, per_op: 0.0, e_value: 1.0 }
    }
}

/// Judges a quantity against one measure of progress.
pub(super) fn classify(
    readings: &Readings,
    least_readings: usize,
    progress: &Progress,
    noise: Noise,
) -> Trend {
    let judged = readings.after_warm_up();
    if readings.len() < least_readings || judged.len() < WINDOWS {
        return Trend::of_class(PartClass::TooShort);
    }
    let low = LowWater::new(judged, progress);
    let growth = low.growth();
    if growth <= 0.0 {
        return Trend::of_class(PartClass::Stable);
    }
    let e_value = evidence(judged, &low, noise.dead_band);
    let class = match low.shape() {
        Shape::Steps if growth < noise.least_growth => PartClass::Stable,
        Shape::Steps if doubles(readings, progress, noise) => PartClass::Suspect,
        Shape::Steps => PartClass::Steps,
        Shape::Ended if growth < noise.least_growth => PartClass::Stable,
        Shape::Ended => PartClass::Settled,
        Shape::GoesOn(_) if e_value < SOME_EVIDENCE => PartClass::Stable,
        Shape::GoesOn(_) if growth < noise.least_growth => PartClass::TooSmall,
        Shape::GoesOn(_) if e_value < ENOUGH_EVIDENCE => PartClass::Suspect,
        Shape::GoesOn(Doubt::Some) => PartClass::Suspect,
        Shape::GoesOn(Doubt::None) => PartClass::Grows,
    };
    let per_op = if class.may_grow() { low.slope() } else { 0.0 };
    Trend { class, per_op, e_value }
}

/// Judges a quantity that was read too seldom for windows. It may grow if its readings rise by more than
/// noise, nearly each above the one before, and the later half of them keeps up with the first.
pub(super) fn classify_few(all: &[Reading], progress: &Progress, noise: Noise) -> Trend {
    let [first, .., last] = *all else { return Trend::of_class(PartClass::TooShort) };
    let middle = all[all.len() / 2];
    let pace = |from: Reading, to: Reading| {
        let work = progress.at[to.at] - progress.at[from.at];
        if work > 0.0 { (to.value - from.value) / work } else { 0.0 }
    };
    let is_noise = last.value - first.value < noise.least_growth;
    let goes_on = pace(middle, last) >= LEAST_SECOND_HALF * pace(first, middle);
    let e_value = bet(all.iter().map(|reading| reading.value), noise.dead_band);
    if is_noise || !goes_on || e_value < FEW_EVIDENCE {
        return Trend::of_class(PartClass::TooShort);
    }
    Trend { class: PartClass::Suspect, per_op: pace(first, last), e_value }
}

/// The share of the variance of a quantity that a measure of progress leaves unexplained.
pub(super) fn misfit(readings: &Readings, progress: &Progress) -> f64 {
    let judged = readings.after_warm_up();
    if judged.len() < WINDOWS {
        return 1.0;
    }
    let low = LowWater::new(judged, progress);
    1.0 - explained(&low.work, &low.value)
}

/// How much higher the low water of the last window is than that of the first.
pub(super) fn rise(readings: &Readings) -> f64 {
    let judged = readings.after_warm_up();
    let window = judged.len().div_ceil(WINDOWS);
    let lowest = |of: &[Reading]| of.iter().map(|reading| reading.value).fold(f64::MAX, f64::min);
    let (first, last) = (&judged[..window], &judged[judged.len() - window..]);
    (lowest(last) - lowest(first)).max(0.0)
}

/// How growth goes on.
enum Shape {
    /// Most of it at once.
    Steps,
    /// Not any more, or ever slower.
    Ended,
    /// To the end.
    GoesOn(Doubt),
}

/// Whether something else than a leak would look the same.
enum Doubt {
    None,
    Some,
}

/// The lowest reading of each window.
struct LowWater {
    /// Progress when it was read.
    work: [f64; WINDOWS],
    value: [f64; WINDOWS],
}

impl LowWater {
    /// Of at least as many readings as windows.
    fn new(judged: &[Reading], progress: &Progress) -> Self {
        let window =
            |k: usize| &judged[k * judged.len() / WINDOWS..(k + 1) * judged.len() / WINDOWS];
        let lowest = |k: usize| {
            let by_value = |a: &&Reading, b: &&Reading| a.value.total_cmp(&b.value);
            window(k).iter().min_by(by_value).map_or((0, 0.0), |low| (low.at, low.value))
        };
        let lowest: [(usize, f64); WINDOWS] = std::array::from_fn(lowest);
        Self { work: lowest.map(|(at, _)| progress.at[at]), value: lowest.map(|(_, value)| value) }
    }

    fn growth(&self) -> f64 {
        self.value[WINDOWS - 1] - self.value[0]
    }

    /// Growth per unit of progress between two windows.
    fn pace(&self, from: usize, to: usize) -> f64 {
        let work = self.work[to] - self.work[from];
        if work > 0.0 { (self.value[to] - self.value[from]) / work } else { 0.0 }
    }

    fn shape(&self) -> Shape {
        const LAST: usize = WINDOWS - 1;
        const MIDDLE: usize = WINDOWS / 2;
        let whole = self.pace(0, LAST);
        if self.steps() {
            return Shape::Steps;
        }
        let second_half = self.pace(MIDDLE, LAST);
        let last_quarter = self.pace(LAST - WINDOWS / 4, LAST);
        let has_ended = second_half < LEAST_SECOND_HALF * self.pace(0, MIDDLE)
            || last_quarter < LEAST_LAST_QUARTER * whole;
        if has_ended {
            return Shape::Ended;
        }
        let may_have_ended = self.pace(LAST - 2, LAST) < LEAST_LAST_SIXTH * whole
            || self.pace(LAST - 1, LAST) < LEAST_LAST_WINDOW * whole;
        let slows_down = second_half < EVEN_SECOND_HALF * self.pace(0, MIDDLE);
        let ebbs = self.largest_fall() > LARGEST_EBB * self.growth();
        match may_have_ended || slows_down || ebbs {
            true => Shape::GoesOn(Doubt::Some),
            false => Shape::GoesOn(Doubt::None),
        }
    }

    /// Most of the growth came at once, and not because most of the work did.
    fn steps(&self) -> bool {
        let (growth, work) = (self.growth(), self.work[WINDOWS - 1] - self.work[0]);
        (1..WINDOWS).any(|k| {
            let step = (self.value[k] - self.value[k - 1]) / growth;
            let share = (self.work[k] - self.work[k - 1]) / work;
            step > LARGEST_STEP && step > STEP_BEYOND_WORK * share
        })
    }

    /// From any window to any later one.
    fn largest_fall(&self) -> f64 {
        let (mut highest, mut fall) = (f64::MIN, 0.0_f64);
        for value in self.value {
            highest = highest.max(value);
            fall = fall.max(highest - value);
        }
        fall
    }

    /// The median of the slopes between any two windows (Theil and Sen): one of them may be anywhere.
    fn slope(&self) -> f64 {
        let pairs = (0..WINDOWS).flat_map(|a| (a + 1..WINDOWS).map(move |b| (a, b)));
        let distinct = pairs.filter(|&(a, b)| self.work[b] > self.work[a]);
        let mut slopes: Vec<f64> = distinct.map(|(a, b)| self.pace(a, b)).collect();
        slopes.sort_by(f64::total_cmp);
        slopes.get(slopes.len() / 2).copied().unwrap_or(0.0)
    }
}

/// The share of the variance of one that a straight line of the other explains.
fn explained(x: &[f64; WINDOWS], y: &[f64; WINDOWS]) -> f64 {
    let mean = |values: &[f64; WINDOWS]| values.iter().sum::<f64>() / WINDOWS as f64;
    let (mean_x, mean_y) = (mean(x), mean(y));
    let pairs = || x.iter().zip(y).map(|(x, y)| (x - mean_x, y - mean_y));
    let covariance: f64 = pairs().map(|(x, y)| x * y).sum();
    let variances: f64 =
        pairs().map(|(x, _)| x * x).sum::<f64>() * pairs().map(|(_, y)| y * y).sum::<f64>();
    if variances > 0.0 { covariance * covariance / variances } else { 0.0 }
}

/// Two bets, each honest: that the readings rise, and that the low water does. The mean of both is
/// honest too. Of few windows the one is worth little; beside a saw tooth, the other.
fn evidence(judged: &[Reading], low: &LowWater, dead_band: f64) -> f64 {
    let readings = judged.iter().map(|reading| reading.value);
    (bet(readings, dead_band) + bet(low.value.into_iter(), dead_band)) / 2.0
}

/// The evidence that values do not rise by chance.
fn bet(values: impl Iterator<Item = f64>, dead_band: f64) -> f64 {
    let values: Vec<f64> = values.collect();
    let changes = values.windows(2).map(|pair| step(pair[1] - pair[0], dead_band));
    e_value(&changes.collect::<Vec<_>>())
}

fn step(change: f64, dead_band: f64) -> Ordering {
    match change {
        change if change > dead_band => Ordering::Greater,
        change if change < -dead_band => Ordering::Less,
        _ => Ordering::Equal,
    }
}

/// Whether the last steps of the run are those of a container that doubles: ever larger, each after
/// ever more work, and nothing in between was given back.
fn doubles(readings: &Readings, progress: &Progress, noise: Noise) -> bool {
    let all = readings.all();
    let growth = all[all.len() - 1].value - all[0].value;
    let least_step = noise.dead_band.max(LEAST_DOUBLING * growth);
    let mut steps: Vec<(f64, f64)> = Vec::new();
    for pair in all.windows(2) {
        let change = pair[1].value - pair[0].value;
        if change < -(LARGEST_FALL * growth).max(noise.dead_band) {
            return false;
        }
        if change > least_step {
            steps.push((progress.at[pair[1].at], change));
        }
    }
    let grows_by = |a: f64, b: f64| b >= DOUBLING * a;
    let on_schedule = |pair: &[(f64, f64)]| {
        let ((work, step), (later_work, later_step)) = (pair[0], pair[1]);
        grows_by(work, later_work) && grows_by(step, later_step)
    };
    let last = steps.windows(2).rev().take_while(|pair| on_schedule(pair)).count();
    last + 1 >= LEAST_DOUBLINGS
}
