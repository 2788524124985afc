//! `docs/BENCHMARKS.md`: words between the tables.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::contender::{ALL, SYSTEM_ALONE};
use crate::cost::Instructions;
use crate::plan::Plan;
use crate::results::Results;
use crate::{machine, tables, target};

const HEAD: &str = "\
# Benchmarks

What it costs to know where memory goes: Heaptide and its peers, doing the same work in one run on one machine.
All of this page is written by `UPDATE=1 cargo ci bench`; nothing in it is typed by hand.

![What everybody adds to an allocation, and the requests of a service that are kept](benchmarks.svg)

## How to read it

* Everybody runs once before anybody runs twice. Each number is the median over the rounds; beside it stand the
  least and the most. On a busy machine they lie far apart: the load average stands below.
* Time is that of all processors in the measured process, and a run's figure is that of its median batch (of a
  thousand operations or so), so neighbours on the machine count for little. What a
  profiler does in other processes (heaptrack's interpreter) is not counted.
* What is *added* and *× unprofiled* compare with the same program unprofiled, run right before: under the system's
  allocator, under it and with frame pointers for the peers that demand them, or under jemalloc.
* Peers run at their own defaults and need not write what they found: heapscope and dhat-rs keep 10 frames or so of
  a stack, Heaptide all of them.
";

const MICRO: &str = "\
## An allocation and its free

The peers' micro workload: 16 to 527 bytes, 5 to 16 frames of recursion under the caller's, 10,000 blocks alive.
";
const PROGRAMS: &str = "\
## Programs, × unprofiled

`json` parses a document and drops it; `btree` inserts strings into a map and removes them; `sites-5000` allocates from
5,000 call stacks in random order, `sites-33000` from 33,000, `stacks-unbounded` from call stacks of which hardly one
comes twice; `deep-150` under 150 frames; `thread-churn` begins threads that allocate 32 blocks.
";
const THREADS: &str = "\
## Threads

The micro workload on each thread; every fourth block is freed by another one. Processor time, so flat is what does
not contend.
";
const SERVICE: &str = "\
## A service

An axum service on one thread; its load comes from another process. Requests per second on the wall depend on what else
the machine does; requests per second of the service's own processor time hardly do.
";
const LATENCY: &str = "\
## How long clients wait

The same service, asked 20,000 times a second by sixteen connections, each request at a time of its own. An answer is
late from the time that its request was due. Heaptide writes a snapshot at the end; recording goes on all the time.
";
const MEMORY: &str = "\
## Memory

The most that was resident, less what was resident unprofiled. The last column compares two runs with a million
blocks of 16 to 63 bytes between them, so that what is there once (tables, caches) cancels out. Eight bytes behind a
block are rounded by glibc to its sizes, 16 bytes apart: half of all sizes pay 16, half nothing. The crowd is 32 threads
that each allocate from the same 20,000 call stacks: what is kept for each stack on each thread adds up there.
";
const START: &str = "\
## Start

A program of usual size (axum, tokio, serde, clap), from its start to its first snapshot.
";
const STACKS: &str = "\
## Hits and misses

Heaptide exact remembers stacks and recognises them by comparison. What it cannot recognise it unwinds: a miss. These
are counts of the last round, from its recording; warming up is included.
";
const INSTRUCTIONS: &str = "\
## Instructions

The micro workload under callgrind: the same on any day. `cargo ci instructions` holds Heaptide's to
`crates/heaptide-bench/instructions.toml`.
";

/// The page.
pub(crate) fn page(
    plan: &Plan,
    results: &Results,
    instructions: &Instructions,
    load: [&str; 2],
) -> Result<String> {
    let programs = [
        "json",
        "btree",
        "sites-5000",
        "sites-33000",
        "stacks-unbounded",
        "deep-150",
        "thread-churn",
    ];
    let programs: Vec<_> = programs.into_iter().filter(|name| plan.wants(name)).collect();
    let sections = [
        ("micro", MICRO, tables::micro(results)),
        (programs.first().copied().unwrap_or("json"), PROGRAMS, tables::ratios(results, &programs)),
        ("threads-8", THREADS, tables::threads(results)),
        ("axum", SERVICE, tables::service(results)),
        ("latency", LATENCY, tables::latency(results)),
        ("memory", MEMORY, tables::memory(results)),
        ("start", START, tables::start(results)),
        ("instructions", INSTRUCTIONS, tables::instructions(results, instructions)),
    ];
    let mut page = format!("{HEAD}\n## Targets\n\n{}", target::targets(results, instructions));
    for (name, about, table) in sections {
        if plan.wants(name) {
            page += &format!("\n{about}\n{table}");
        }
    }
    page += &format!("\n{STACKS}\n{}", tables::stacks(results));
    page += &missing(results);
    Ok(page + &circumstances(plan, load)?)
}

/// What could not be measured, and why.
fn missing(results: &Results) -> String {
    let absent =
        results.absent.iter().map(|(name, why)| format!("* {name}: not available here: {why}\n"));
    let failed = results.failures().map(|(name, job, why)| format!("* {name}, {job}: {why}\n"));
    let lines: String = absent.chain(failed).collect();
    if lines.is_empty() { lines } else { format!("\n## Not measured\n\n{lines}") }
}

fn circumstances(plan: &Plan, [before, after]: [&str; 2]) -> Result<String> {
    let machine = machine::description()?;
    let (rounds, ms) = (plan.rounds, plan.ms);
    let builds: BTreeSet<String> = ALL.iter().map(|contender| contender.binary.shown()).collect();
    let builds: Vec<String> = builds.into_iter().collect();
    let runs = ALL.iter().map(|contender| format!("{} micro --ms {ms}\n", contender.shown()));
    Ok(format!(
        "\n## The machine\n\n{machine}\n\
         {rounds} rounds of {ms} ms each after warming up; load average {before} when they began, {after} at \
         their end.\n\n## The commands\n\n\
         `UPDATE=1 cargo ci bench` is all of it (`BENCH_ROUNDS=5 BENCH_MS=300 BENCH_ONLY=micro,axum` to choose). It \
         builds\n\n```sh\n{}\n```\n\nand runs these, here for the micro workload:\n\n```sh\n{}```\n\n\
         Instructions: `valgrind --tool=callgrind --separate-threads=yes {} micro --ops N`, for two values of N.\n",
        builds.join("\n"),
        runs.collect::<String>(),
        SYSTEM_ALONE.binary.name,
    ))
}
