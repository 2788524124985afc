//! The heaptide command: talks to a human, and leaves the thinking to the analyzer.
//!
//! Both binaries, `heaptide` and `cargo-heaptide`, are this library and one line that installs the
//! shim in them: the command watches itself as it watches others. [`args`] is what was typed,
//! [`cmd`] has one file per subcommand, [`watch`] runs programs, [`demo`] is the outage in small.

#![forbid(unsafe_code)]

mod args;
mod cmd;
mod demo;
mod dumps;
mod exit;
mod http;
mod judging;
mod symbol_cache;
mod output;
mod terminal;
mod watch;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use crate::args::Args;
use crate::exit::Exit;

/// Runs the command line `argv` (its first element is the program) as `name`, which is how it
/// calls itself in its help: `heaptide` or `cargo heaptide`.
pub fn main(name: &'static str, argv: impl IntoIterator<Item = OsString>) -> ExitCode {
    let command = Args::command().bin_name(name);
    let args = command.try_get_matches_from(argv).and_then(|found| Args::from_arg_matches(&found));
    let result = match args {
        Ok(args) => cmd::run(args.command),
        Err(usage) => {
            // Standard error may be closed; then nobody reads the usage.
            let _ = usage.print();
            return ExitCode::from(usage.exit_code().clamp(0, 2) as u8);
        }
    };
    match result {
        Ok(exit) => exit.into(),
        Err(cause) if exit::is_broken_pipe(&cause) => Exit::Clean.into(),
        Err(cause) => {
            anstream::eprintln!("{}", exit::in_words(&cause));
            Exit::Failed.into()
        }
    }
}
