//! What was promised, and what was measured.

use crate::contender::{Contender, DHAT_RS, EXACT, HEAPSCOPE_EXACT, HEAPTRACK, OFF, SAMPLED};
use crate::cost::Instructions;
use crate::markdown::{number, table};
use crate::results::{Results, Sample, compared};

/// More than this share of the cost on one thread is not flat.
const FLAT: f64 = 1.2;

/// One promise.
struct Target {
    what: &'static str,
    bound: Bound,
    unit: &'static str,
    measured: Option<f64>,
}

#[derive(Clone, Copy)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Bound {
    fn is_met_by(self, measured: f64) -> bool {
        match self {
            Self::AtMost(most) => measured <= most,
            Self::AtLeast(least) => measured >= least,
        }
    }
}

/// The table of all promises.
pub(crate) fn targets(results: &Results, instructions: &Instructions) -> String {
    let all = [
        speed(results, instructions),
        against_peers(results, instructions),
        service(results),
        memory_and_time(results),
    ];
    let rows: Vec<_> = all.iter().flatten().map(Target::row).collect();
    table(&["what", "target", "measured", "met"], &rows)
}

fn at_most(what: &'static str, most: f64, unit: &'static str, measured: Option<f64>) -> Target {
    Target { what, bound: Bound::AtMost(most), unit, measured }
}

fn at_least(what: &'static str, least: f64, unit: &'static str, measured: Option<f64>) -> Target {
    Target { what, bound: Bound::AtLeast(least), unit, measured }
}

fn speed(results: &Results, instructions: &Instructions) -> Vec<Target> {
    let ns = |contender| results.added_ns("micro", contender).map(|added| added.median);
    let on_threads = |job| results.added_ns(job, &EXACT).map(|added| added.median);
    let flat = compared(on_threads("threads-8"), on_threads("threads-1"));
    let off = instructions.added(&OFF).zip(instructions.per_op(OFF.baseline()));
    let off_percent = off.map(|(added, system)| 100.0 * added / system);
    vec![
        at_most("exact, added to an allocation and its free", 25.0, "ns", ns(&EXACT)),
        at_most("the same in instructions", 200.0, "", instructions.added(&EXACT)),
        at_most("sampled, added", 3.0, "ns", ns(&SAMPLED)),
        at_most("off, added", 1.0, "ns", ns(&OFF)),
        at_most("off, added in instructions", 3.0, "%", off_percent),
        at_most("exact, added on 8 threads against 1", FLAT, "×", flat),
    ]
}

fn against_peers(results: &Results, instructions: &Instructions) -> Vec<Target> {
    let cheaper = |peer: &Contender| {
        let of = |contender| results.added_ns("micro", contender).map(|added| added.median);
        compared(of(peer), of(&EXACT))
    };
    let fewer = |peer: &Contender| compared(instructions.added(peer), instructions.added(&EXACT));
    vec![
        at_least("cheaper than heapscope", 8.0, "×", cheaper(&HEAPSCOPE_EXACT)),
        at_least("the same in instructions", 8.0, "×", fewer(&HEAPSCOPE_EXACT)),
        at_least("cheaper than heaptrack", 15.0, "×", cheaper(&HEAPTRACK)),
        at_least("cheaper than dhat-rs", 80.0, "×", cheaper(&DHAT_RS)),
        at_least("the same in instructions", 80.0, "×", fewer(&DHAT_RS)),
    ]
}

fn service(results: &Results) -> Vec<Target> {
    let kept = |number: fn(&Sample, &Sample) -> f64| {
        results.against_baseline("axum", &EXACT, number).map(|kept| 100.0 * kept.median)
    };
    let on_the_wall = kept(|run, base| run.ops_per_s() / base.ops_per_s());
    let per_cpu = kept(|run, base| base.cpu_ns_per_op / run.cpu_ns_per_op);
    vec![
        at_least("exact, requests per second kept", 95.0, "%", on_the_wall),
        at_least("the same per second of the service's processor", 95.0, "%", per_cpu),
    ]
}

fn memory_and_time(results: &Results) -> Vec<Target> {
    let ms = |value: f64| value / 1e6;
    let start = |number: fn(&Sample, &Sample) -> f64| {
        results.against_baseline("start", &EXACT, number).map(|added| added.median)
    };
    let time = start(|run, base| run.cpu_ns as f64 - base.cpu_ns as f64).map(ms);
    let rss = start(|run, base| run.rss() - base.rss()).map(|bytes| bytes / f64::from(1 << 20));
    let snapshot = results.spread("snapshot-10000", &EXACT, |run| run.cpu_ns_per_op);
    let crowd = results.against_baseline("crowd-32", &EXACT, |run, base| run.rss() - base.rss());
    let recognised = results.stacks("sites-33000", &EXACT).map(|(_, it)| 100.0 * it.recognised());
    vec![
        at_most("exact, memory per live block", 8.0, "B", results.bytes_per_block(&EXACT)),
        at_most(
            "memory for 20,000 call stacks on 32 threads",
            64.0,
            "MiB",
            crowd.map(|more| more.median / f64::from(1 << 20)),
        ),
        at_least("stacks recognised of 33,000 in turn", 99.0, "%", recognised),
        at_most("start of a recording to its first snapshot", 5.0, "ms", time),
        at_most("memory by then", 2.0, "MiB", rss),
        at_most("snapshot of 10,000 sites", 10.0, "ms", snapshot.map(|cost| ms(cost.median))),
    ]
}

impl Target {
    fn row(&self) -> Vec<String> {
        let (sign, bound) = match self.bound {
            Bound::AtMost(most) => ("≤", most),
            Bound::AtLeast(least) => ("≥", least),
        };
        let (measured, met) = match self.measured {
            Some(value) if self.bound.is_met_by(value) => (self.shown(value), "yes"),
            Some(value) => (self.shown(value), "**no**"),
            None => ("not measured".to_owned(), "–"),
        };
        vec![
            self.what.to_owned(),
            format!("{sign} {}", self.shown(bound)),
            measured,
            met.to_owned(),
        ]
    }

    fn shown(&self, value: f64) -> String {
        format!("{} {}", number(value), self.unit).trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bound: Bound, measured: Option<f64>, met: &str) {
        let row = Target { what: "cost", bound, unit: "ns", measured }.row();
        assert_eq!(row[3], met, "{row:?}");
    }

    #[test]
    fn a_miss_is_told() {
        check(Bound::AtMost(25.0), Some(25.0), "yes");
        check(Bound::AtMost(25.0), Some(25.1), "**no**");
        check(Bound::AtLeast(90.0), Some(89.9), "**no**");
        check(Bound::AtLeast(90.0), Some(90.0), "yes");
        check(Bound::AtLeast(90.0), None, "–");
    }
}
