//! `cargo ci bench`: the same work under every allocator and profiler there is, in turns, in one run.
//!
//! It builds one binary for each, runs them all in rounds and prints `docs/BENCHMARKS.md`; with
//! `UPDATE=1` it writes that page and the picture beside it. `BENCH_ROUNDS`, `BENCH_MS` and
//! `BENCH_ONLY=micro,axum,…` make it shorter. Who cannot be had on a machine is named, with the
//! reason, and nothing is made up for them.

#![forbid(unsafe_code)]

mod bounds;
mod callgrind;
mod contender;
mod cost;
mod document;
mod drawing;
mod instructions;
mod lackey;
mod machine;
mod markdown;
mod plan;
mod recording;
mod results;
mod snapshots;
mod soak;
mod source;
mod tables;
mod target;
mod warm;

use std::process::ExitCode;

use anyhow::{Result, ensure};
use ci::program::{root, write_if_changed};

use contender::ALL;
use cost::Instructions;
use plan::Plan;
use results::Results;

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let done = match wanted.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["bench"] => bench(),
        ["instructions"] => instructions::run(),
        ["lines"] => warm::run(),
        ["snapshots"] => snapshots::run(),
        ["soak"] => soak::run(),
        _ => Err(anyhow::anyhow!("usage: bench-compare bench|instructions|lines|snapshots|soak")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            println!("{err:#}");
            ExitCode::FAILURE
        }
    }
}

fn bench() -> Result<()> {
    let plan = Plan::of_environment()?;
    let writes = std::env::var_os("UPDATE").is_some();
    ensure!(!writes || plan.is_whole(), "UPDATE=1 writes the whole page: leave BENCH_ONLY out");
    let scratch = contender::scratch()?;
    let results = Results::prepared(&ALL, &scratch);
    let before = machine::load_average();
    let results = results.in_turns(&ALL, &plan.jobs(), &scratch);
    let after = machine::load_average();
    let instructions = match plan.wants("instructions") {
        true => Instructions::count(&results, &scratch)?,
        false => Instructions::default(),
    };
    let page = document::page(&plan, &results, &instructions, [&before, &after])?;
    println!("\n{page}");
    if writes {
        write_if_changed(&root().join("docs/BENCHMARKS.md"), page.as_bytes())?;
        write_if_changed(&root().join("docs/benchmarks.svg"), drawing::svg(&results).as_bytes())?;
    }
    Ok(())
}
