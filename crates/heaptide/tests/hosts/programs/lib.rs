//! Programs of the kinds that an allocator shim meets in the world: each does something that
//! programs do, checks that it went as it always goes, and says so.
//!
//! They know nothing of the allocator below them. A binary for each allocator calls [`main`] with
//! the name of a program as its first argument; `hosts.toml` says what is expected of each, and the
//! matrix runs them all under every allocator. A program that fails where nothing is recorded is
//! wrong itself.

mod call;
mod descriptors;
mod ends;
mod forks;
mod limits;
mod load;
mod loading;
mod memory;
mod output;
mod recording;
mod signals;
mod stack_use;
mod stacks;
mod threads;

use std::process::ExitCode;

pub use recording::{Plan, Profiler, Recording, Shim, Unrecorded};

/// A program, given what can record it.
type Program = fn(&'static dyn Profiler);

/// All programs, in the order of the files they stand in.
fn programs() -> impl Iterator<Item = (&'static str, Program)> {
    let files = [
        descriptors::PROGRAMS,
        ends::PROGRAMS,
        forks::PROGRAMS,
        limits::PROGRAMS,
        loading::PROGRAMS,
        memory::PROGRAMS,
        output::PROGRAMS,
        signals::PROGRAMS,
        stack_use::PROGRAMS,
        stacks::PROGRAMS,
        threads::PROGRAMS,
    ];
    files.into_iter().flatten().copied()
}

/// What the programs are called.
pub fn names() -> impl Iterator<Item = &'static str> {
    programs().map(|(name, _)| name)
}

/// Runs the program that the first argument names. It panics, and so exits with 101, if something
/// did not go as it always goes.
pub fn main(profiler: &'static dyn Profiler) -> ExitCode {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    let Some((_, program)) = programs().find(|(name, _)| *name == wanted) else {
        eprintln!("usage: PROGRAM NAME, where NAME is one of:");
        names().for_each(|name| eprintln!("  {name}"));
        return ExitCode::from(2);
    };
    program(profiler);
    ExitCode::SUCCESS
}

/// Says that all went as it should: what `hosts.toml` expects of a program, unless it says more.
fn alive() {
    println!("alive");
}

/// A measured number, for the table.
fn note(name: &str, value: impl std::fmt::Display) {
    println!("note: {name}={value}");
}

/// How many times a repeated action is done: `few`, or ten times as many in a long run.
fn times(few: usize) -> usize {
    if std::env::var_os("HOST_LONG").is_some() { few * 10 } else { few }
}
