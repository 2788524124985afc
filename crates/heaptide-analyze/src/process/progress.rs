//! What the growth of a process is held against: counted work, else processor time, else time.
//!
//! Under waves of load the pace of a leak varies by 60 % per hour and by a tenth per second of
//! processor time, so where nothing is counted processor time stands in for work. In a process that
//! is nearly idle it is the other way round: what it spends then is mostly not its requests'.

use crate::timeline::Point;
use crate::verdict::SECONDS;

/// The name of processor time when it stands in for work.
pub const CPU_SECONDS: &str = "cpu_seconds";

/// A process that spends a smaller share of one processor than this is idle, and judged by time.
const LEAST_CPU_SHARE: f64 = 0.05;
const NS_PER_SECOND: f64 = 1e9;
const NS_PER_HOUR: f64 = 3.6e12;

/// One measure of progress over the judged snapshots.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    /// A work counter, [`CPU_SECONDS`], or `"seconds"`.
    pub(super) name: String,
    /// Its value at each judged snapshot.
    pub(super) at: Vec<f64>,
    /// How much of it happens per hour.
    pub(super) per_hour: f64,
}

impl Progress {
    /// `None` if it does not move after the warm-up, or is not known throughout.
    fn new(
        name: &str,
        points: &[&Point],
        warm_up: usize,
        value: impl Fn(&Point) -> Option<f64>,
    ) -> Option<Self> {
        let at: Vec<f64> = points.iter().map(|point| value(point)).collect::<Option<_>>()?;
        let (from, to) = (*at.get(warm_up)?, *at.last()?);
        let hours = points.last()?.elapsed_ns.saturating_sub(points.get(warm_up)?.elapsed_ns);
        let per_hour = (to - from) / (hours as f64 / NS_PER_HOUR);
        let moves = to > from && per_hour.is_finite();
        moves.then(|| Self { name: name.to_owned(), at, per_hour })
    }
}

/// What growth may be held against: the named counter, or else all that move; without one processor
/// time or, in an idle process, time. `warm_up` is the index of the first snapshot after it. Empty
/// if no time passed.
pub(super) fn candidates(points: &[&Point], warm_up: usize, named: Option<&str>) -> Vec<Progress> {
    let names = points.last().into_iter().flat_map(|last| last.work.keys());
    let counter = |name: &String| {
        let value = |point: &Point| Some(point.work.get(name).copied().unwrap_or(0) as f64);
        Progress::new(name, points, warm_up, value)
    };
    let is_named = |name: &&String| named.is_none_or(|named| named == *name);
    let counters: Vec<Progress> = names.filter(is_named).filter_map(counter).collect();
    if !counters.is_empty() {
        return counters;
    }
    let cpu = Progress::new(CPU_SECONDS, points, warm_up, |point| {
        Some(point.account.as_ref()?.cpu_ns as f64 / NS_PER_SECOND)
    });
    let is_busy = |cpu: &Progress| cpu.per_hour >= LEAST_CPU_SHARE * 3600.0;
    let time = || {
        let seconds = |point: &Point| Some(point.elapsed_ns as f64 / NS_PER_SECOND);
        Progress::new(SECONDS, points, warm_up, seconds)
    };
    cpu.filter(is_busy).or_else(time).into_iter().collect()
}
