//! `cargo ci bench`: the same work under every allocator and profiler there is, in turns, in one run.
//!
//! It builds one binary for each, runs them all in rounds and prints `docs/BENCHMARKS.md`; with
//! `UPDATE=1` it writes that page and the picture beside it. `BENCH_ROUNDS`, `BENCH_MS` and
//! `BENCH_ONLY=micro,axum,…` make it shorter. Who cannot be had on a machine is named, with the
//! reason, and nothing is made up for them.

pub(crate) mod callgrind;
pub(crate) mod contender;
mod cost;
mod document;
mod drawing;
mod machine;
mod markdown;
mod plan;
mod recording;
mod results;
mod tables;
mod target;

use anyhow::{Result, ensure};

use contender::ALL;
use cost::Instructions;
use plan::Plan;
use results::Results;

use ci::program::{root, write_if_changed};

pub(crate) fn run() -> Result<()> {
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
