//! `cargo ci account`: programs that grow in one part of the process's account or another, by many seeds.
//!
//! `cargo ci parts` judges series that were made up; this plays the programs of `heaptide-parts` under
//! the shim and judges what it recorded. They keep to the clock, since the parts are read from the
//! kernel, so a run lasts as long as it lasts: eight at a time, most of it asleep. `SEEDS=5` plays fewer
//! seeds, `SECONDS=24` longer runs.

mod played;
mod results;

use anyhow::{Context, Result, ensure};

use results::Results;

/// Seeds that the rule was never tuned on; a run of each program.
const SEEDS: u64 = 20;
const SECONDS: f64 = 12.0;
/// The targets: the least share of growing parts that are found, and the largest share of part-runs
/// that are accused of growth though they have none.
const LEAST_RECALL: f64 = 0.9;
const MOST_ALARMS: f64 = 0.002;
/// How far the parts may be from the resident set in 99 of 100 snapshots. What comes or goes while they
/// are read is in the one and not in the other.
const MOST_GAP_KIB: u64 = 2 << 10;

/// Plays and judges all, and holds the rule to its targets.
///
/// # Errors
///
/// If a target is missed, or a program cannot be built, played or judged.
pub fn run() -> Result<()> {
    let seeds = number("SEEDS", SEEDS as f64)? as u64;
    let seconds = number("SECONDS", SECONDS)?;
    let mut results = Results::default();
    for run in played::all(seeds, seconds)? {
        results.add(&run?);
    }
    println!("{}", results.table());
    let (recall, alarms) = (results.recall(), results.alarms());
    println!(
        "found {:.1} % of what grows; accused {:.2} % of part-runs",
        100. * recall,
        100. * alarms
    );
    let [middle, most_of_them, largest] = results.gaps_bytes().map(|bytes| bytes >> 10);
    println!(
        "from the parts to the resident set: {middle} KiB in the middle, {most_of_them} in 99 of 100, {largest} at most"
    );
    ensure!(recall >= LEAST_RECALL, "too little of what grows is found");
    ensure!(alarms <= MOST_ALARMS, "too much is accused that does not grow");
    ensure!(most_of_them <= MOST_GAP_KIB, "the parts do not add up");
    Ok(())
}

fn number(name: &str, otherwise: f64) -> Result<f64> {
    match std::env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("{name}={text} is not a number")),
        Err(_) => Ok(otherwise),
    }
}
