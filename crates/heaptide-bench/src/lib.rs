//! The same work under every allocator: one program for each, which calls [`main`] and prints one
//! line of JSON about what the work took.
//!
//! Time is the processor's, of the whole process: on a shared machine the clock on the wall says
//! more about the neighbours. `cargo ci bench` runs the programs in turns and compares.
//!
//! | to add | write |
//! |---|---|
//! | work to be measured | a module of `workload`, and its name in this file's list |
//! | an allocator | a program in `src/bin` that installs it and calls [`main`], and a `Contender` in `src/bin/compare/contender.rs` |
//! | a figure to the page | its table in `src/bin/compare/tables.rs` |

#![forbid(unsafe_code)]

pub mod client;
mod measure;
mod workload;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use measure::{Length, Measured};
use workload::{Allocating, service, snapshots, soak};

/// Runs one workload and prints a line of JSON about it.
#[derive(Debug, Parser)]
struct Args {
    workload: Name,
    /// Milliseconds to run for, after warming up.
    #[arg(long, default_value_t = 300, conflicts_with = "ops")]
    ms: u64,
    /// Operations to run instead, without warming up.
    #[arg(long)]
    ops: Option<u64>,
}

/// What can be run.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Name {
    /// 16 to 527 bytes under 5 to 16 frames of recursion, 10,000 live.
    Micro,
    /// The same with 1,000 live.
    #[value(name = "micro-1000")]
    Micro1000,
    /// Parse a document and drop it.
    Json,
    /// Insert into and remove from a map of strings, 10,000 live.
    Btree,
    /// A service on loopback, under load from another process.
    Axum,
    /// The same service, asked twenty thousand times a second.
    AxumPaced,
    /// Micro on one thread, every fourth block handed to the neighbour (here: to itself).
    #[value(name = "threads-1")]
    Threads1,
    /// The same on two threads.
    #[value(name = "threads-2")]
    Threads2,
    /// The same on four threads.
    #[value(name = "threads-4")]
    Threads4,
    /// The same on eight threads.
    #[value(name = "threads-8")]
    Threads8,
    /// 5,000 call stacks in random order.
    #[value(name = "sites-5000")]
    Sites5000,
    /// 33,000 of them.
    #[value(name = "sites-33000")]
    Sites33000,
    /// Call stacks of which hardly one comes twice.
    StacksUnbounded,
    /// 20,000 call stacks, each on each of 32 threads.
    #[value(name = "crowd-32")]
    Crowd32,
    /// The same, 400 times over one in sixteen of the stacks, with a snapshot after each.
    #[value(name = "crowd-epochs")]
    CrowdEpochs,
    /// Blocks made and freed under 150 frames.
    #[value(name = "deep-150")]
    Deep150,
    /// Threads that live for 32 blocks each.
    ThreadChurn,
    /// Every call stack a new one.
    NewStacks,
    /// Small blocks that all stay.
    SmallLive,
    /// Nothing but the way to the first snapshot.
    Start,
    /// Snapshots of 10,000 sites, all of which changed.
    #[value(name = "snapshot-10000")]
    Snapshot10000,
    /// Snapshots of 100,000 sites, one in a hundred of which changed.
    SnapshotChanges,
    /// Documents, maps, threads, many stacks and deep ones, all at once.
    Soak,
}

/// The body of every binary. `snapshot` takes one, where the allocator knows such a thing.
pub fn main(snapshot: impl Fn()) -> ExitCode {
    let at_main = measure::cpu_time();
    let args = Args::parse();
    match run(&args, &snapshot) {
        Ok(measured) => {
            println!("{}", measured.line(at_main));
            ExitCode::SUCCESS
        }
        Err(err) => {
            eprintln!("{:?}: {err}", args.workload);
            ExitCode::from(2)
        }
    }
}

fn run(args: &Args, snapshot: &dyn Fn()) -> std::io::Result<Measured> {
    let length = match args.ops {
        Some(ops) => Length::Ops(ops),
        None => Length::For(Duration::from_millis(args.ms)),
    };
    let allocating = match args.workload {
        Name::Axum => return service::run(length, service::Load::AsAnswered),
        Name::AxumPaced => return service::run(length, service::Load::AsDue),
        Name::Soak => return Ok(soak::run(length)),
        Name::Start => return Ok(snapshots::first(snapshot)),
        Name::Snapshot10000 => return Ok(snapshots::of_many_sites(snapshot)),
        Name::SnapshotChanges => return Ok(snapshots::of_few_changes(snapshot)),
        Name::CrowdEpochs => return Ok(snapshots::of_crowd(snapshot)),
        Name::Micro => Allocating::micro(10_000),
        Name::Micro1000 => Allocating::micro(1_000),
        Name::Json => Allocating::json(),
        Name::Btree => Allocating::btree(),
        Name::Threads1 => Allocating::threads(1),
        Name::Threads2 => Allocating::threads(2),
        Name::Threads4 => Allocating::threads(4),
        Name::Threads8 => Allocating::threads(8),
        Name::Sites5000 => Allocating::sites(5_000),
        Name::Sites33000 => Allocating::sites(33_000),
        Name::StacksUnbounded => Allocating::unbounded(),
        Name::Crowd32 => Allocating::crowd(),
        Name::Deep150 => Allocating::deep(),
        Name::ThreadChurn => Allocating::thread_churn(),
        Name::NewStacks => Allocating::new_stacks(),
        Name::SmallLive => Allocating::small_live(),
    };
    Ok(allocating.measure(length))
}
