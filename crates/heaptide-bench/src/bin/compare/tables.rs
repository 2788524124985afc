//! One table for each group of workloads.

use crate::contender::{ALL, ARMED, Contender, EXACT, EXACT_TEN, OFF, SAMPLED, SYSTEM_ALONE};
use crate::cost::Instructions;
use crate::markdown::{cell, number, spread, table};
use crate::plan::TIMED;
use crate::results::{Results, Sample, compared};

const MIB: f64 = (1 << 20) as f64;
/// Live blocks of the micro workload.
const MICRO_BLOCKS: f64 = 10_000.0;

fn for_all(results: &Results, row: impl Fn(&'static Contender) -> Vec<String>) -> Vec<Vec<String>> {
    let there = ALL.into_iter().filter(|contender| !results.absent.contains_key(contender.name));
    let named = there.map(|contender| [vec![contender.name.to_owned()], row(contender)].concat());
    named.collect()
}

/// How many times an operation takes what it takes the baseline.
fn times(results: &Results, job: &'static str, contender: &Contender) -> String {
    let ratio = |run: &Sample, base: &Sample| run.cpu_ns_per_op / base.cpu_ns_per_op;
    spread(results.against_baseline(job, contender, ratio))
}

/// The workload on which everybody is compared.
pub(crate) fn micro(results: &Results) -> String {
    let exact = results.added_ns("micro", &EXACT).map(|added| added.median);
    let rows = for_all(results, |contender| {
        let added = results.added_ns("micro", contender).filter(|_| !contender.is_baseline());
        vec![
            cell(results.spread("micro", contender, |run| run.cpu_ns_per_op).map(|s| s.median)),
            times(results, "micro", contender),
            spread(added),
            cell(compared(added.map(|added| added.median), exact)),
        ]
    });
    table(&["", "ns", "× unprofiled", "added ns", "× what exact adds"], &rows)
}

/// Workloads by their ratio to the baseline.
pub(crate) fn ratios(results: &Results, jobs: &[&'static str]) -> String {
    let rows = for_all(results, |contender| {
        jobs.iter().map(|job| times(results, job, contender)).collect()
    });
    table(&[&[""], jobs].concat(), &rows)
}

/// What is added on more and more threads.
pub(crate) fn threads(results: &Results) -> String {
    let jobs = ["threads-1", "threads-2", "threads-4", "threads-8"];
    let rows = for_all(results, |contender| {
        let added = jobs.map(|job| results.added_ns(job, contender));
        let [one, .., eight] = added.map(|added| added.map(|added| added.median));
        let growth = compared(eight, one);
        if contender.is_baseline() {
            let ns = |job| results.spread(job, contender, |run| run.cpu_ns_per_op);
            let alone = jobs.map(|job| format!("{} alone", cell(ns(job).map(|ns| ns.median))));
            return [&alone[..], &["–".to_owned()]].concat();
        }
        [&added.map(spread)[..], &[cell(growth)]].concat()
    });
    table(&["added ns", "1 thread", "2", "4", "8", "8 against 1"], &rows)
}

/// Requests of the service.
pub(crate) fn service(results: &Results) -> String {
    let kept = |contender: &Contender, number: fn(&Sample, &Sample) -> f64| {
        let percent = |run: &Sample, base: &Sample| 100.0 * number(run, base);
        spread(results.against_baseline("axum", contender, percent))
    };
    let rows = for_all(results, |contender| {
        let per_request = results.spread("axum", contender, |run| run.cpu_ns_per_op / 1e3);
        vec![
            cell(results.spread("axum", contender, Sample::ops_per_s).map(|s| s.median)),
            kept(contender, |run, base| run.ops_per_s() / base.ops_per_s()),
            cell(per_request.map(|s| s.median)),
            kept(contender, |run, base| base.cpu_ns_per_op / run.cpu_ns_per_op),
        ]
    });
    let head =
        ["", "requests/s", "% kept", "processor µs per request", "% kept per processor second"];
    table(&head, &rows)
}

/// How long the service's clients wait.
pub(crate) fn latency(results: &Results) -> String {
    let rows = for_all(results, |contender| {
        let late = |at: usize| {
            spread(results.spread("axum-paced", contender, move |run| run.latency_us()[at]))
        };
        (0..3).map(late).collect()
    });
    table(&["µs", "p50", "p99", "p99.9"], &rows)
}

/// What is resident beyond the baseline.
pub(crate) fn memory(results: &Results) -> String {
    let rows = for_all(results, |contender| {
        let more = |job| {
            let more = |run: &Sample, base: &Sample| run.rss() - base.rss();
            results.against_baseline(job, contender, more).map(|s| s.median)
        };
        let micro = more("micro-memory");
        vec![
            cell(micro.map(|bytes| bytes / MIB)),
            cell(micro.map(|bytes| bytes / MICRO_BLOCKS)),
            cell(more("many-blocks").map(|bytes| bytes / MIB)),
            cell(results.bytes_per_block(contender)),
            cell(more("crowd-32").map(|bytes| bytes / MIB)),
        ]
    });
    let head = [
        "",
        "micro, MiB more",
        "B per live block",
        "small blocks, MiB more",
        "B per block more",
        "crowd, MiB more",
    ];
    let epochs =
        results.against_baseline("crowd-epochs", &EXACT, |run, base| run.rss() - base.rss());
    let sentence = format!(
        "\nThe crowd again, 400 times over one in sixteen of the stacks, with a snapshot after each, exact: {} MiB more.\n",
        cell(epochs.map(|more| more.median / MIB))
    );
    table(&head, &rows) + &sentence
}

/// The way to the first snapshot, and snapshots.
pub(crate) fn start(results: &Results) -> String {
    let rows = [&SYSTEM_ALONE, &EXACT].map(|contender| {
        let over = |number: fn(&Sample) -> f64| spread(results.spread("start", contender, number));
        vec![
            contender.name.to_owned(),
            over(|run| run.main_cpu_ns as f64 / 1e6),
            over(|run| run.cpu_ns as f64 / 1e6),
            over(|run| run.rss() / MIB),
        ]
    });
    let head = ["", "ms to main", "ms to the first snapshot", "MiB resident by then"];
    let snapshot = results.spread("snapshot-10000", &EXACT, |run| run.cpu_ns_per_op / 1e6);
    let sentence = format!(
        "\nA snapshot of 10,000 sites, all of which changed: {} ms of the recorder's thread.\n",
        spread(snapshot)
    );
    table(&head, &rows) + &sentence
}

/// How stacks are found, by workload.
pub(crate) fn stacks(results: &Results) -> String {
    let row = |job: &'static str| {
        let (run, stacks) = results.stacks(job, &EXACT)?;
        let allocs_per_op = stacks.allocs as f64 / run.total_ops.max(1) as f64;
        let added = results.added_ns(job, &EXACT)?.median / allocs_per_op;
        Some(vec![
            job.to_owned(),
            number(allocs_per_op),
            format!("{:.3}", 100.0 * stacks.hit_rate()),
            stacks.misses.to_string(),
            stacks.uncacheable.to_string(),
            stacks.truncated.to_string(),
            number(stacks.own_bytes as f64 / 1024.0),
            number(added),
        ])
    };
    let rows: Vec<_> = TIMED.into_iter().filter_map(row).collect();
    let head = [
        "",
        "allocations per operation",
        "% hits",
        "misses",
        "uncacheable",
        "truncated",
        "own KiB",
        "added ns per allocation",
    ];
    table(&head, &rows)
}

/// Instructions of an operation of the micro workload.
pub(crate) fn instructions(results: &Results, counted: &Instructions) -> String {
    let exact = counted.added(&EXACT);
    let rows = for_all(results, |contender| {
        let added = counted.added(contender).filter(|_| !contender.is_baseline());
        vec![cell(counted.per_op(contender)), cell(added), cell(compared(added, exact))]
    });
    let rows: Vec<_> = rows.into_iter().filter(|row| row[1] != "–").collect();
    let modes = [&OFF, &ARMED, &SAMPLED, &EXACT, &EXACT_TEN];
    let shown = modes.map(|mode| format!("{} {}", mode.name, cell(counted.added(mode))));
    let sentence = format!(
        "\nA hit, with its count, record and free: {} instructions. A miss on a stack of 21 frames \
         that was never seen: {}. All modes: {}.\n",
        cell(exact),
        cell(counted.miss),
        shown.join(", ")
    );
    table(&["", "instructions", "added", "× what exact adds"], &rows) + &sentence
}
