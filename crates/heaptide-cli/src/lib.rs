//! The heaptide command: talks to a human, and leaves the thinking to the analyzer.
//!
//! **What you call.** [`main`], with the name by which the command calls itself and what was typed.
//! Both binaries, `heaptide` and `cargo-heaptide`, are that call and one line that installs the shim
//! in them: the command can be watched as it watches others.
//!
//! **What happens.** `args` turns what was typed into types; `cmd` has one file per subcommand, which
//! does what was asked and says how to exit (0 clean, 1 growth over budget, 2 could not do what was
//! asked, 3 inconclusive). `judging` hands recordings to the analyzer, `output` writes what came out,
//! `watch` runs programs and finds what they recorded, `serve` is the live page, `demo` is the outage in small.
//!
//! ```
//! # fn main() -> std::io::Result<()> {
//! let pages = tempfile::tempdir()?;
//! let dir = pages.path().as_os_str();
//! let words = ["heaptide".into(), "man".into(), "--out".into(), dir.into()];
//! assert_eq!(heaptide_cli::main("heaptide", words), std::process::ExitCode::SUCCESS);
//! assert!(pages.path().join("heaptide-run.1").is_file());
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

// From the ground up: what was typed and how to answer,
mod source;

mod args;
mod exit;
mod http;
mod limits;
mod sources;
mod symbol_cache;
mod terminal;
mod workspace;

mod output;

mod ci_job;

// judging what was recorded,
mod dumps;
mod judging;

// running programs,
mod demo;
mod watch;

// a screen of its own,
mod top;

// the live page,
mod serve;

// and the subcommands.
mod cmd;

// What the page and the screen must not be moved by, as the outputs of the report's crate are not.
#[cfg(test)]
#[path = "../../heaptide-report/tests/it/untrusted/payloads.rs"]
mod payloads;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::ffi::OsString;
use std::panic::{self, PanicHookInfo};
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};
use heaptide_analyze::symbols;
use heaptide_report::Escaped;

use crate::args::Args;
use crate::exit::Exit;

/// Runs the command line `argv` (its first element is the program) as `name`, which is how it
/// calls itself in its help: `heaptide` or `cargo heaptide`.
///
/// A panic is a mistake of ours and no verdict: what was asked could not be done, so it is exit
/// code 2, and not 101, which a caller that knows our codes would not expect.
pub fn main(name: &'static str, argv: impl IntoIterator<Item = OsString>) -> ExitCode {
    let argv: Vec<OsString> = argv.into_iter().collect();
    panic::set_hook(Box::new(tell_of_panic));
    panic::catch_unwind(|| answer(name, &argv)).unwrap_or(Exit::Failed.into())
}

/// What a panic says may be text of a recording, so it goes by the gate as all text does.
fn tell_of_panic(panicked: &PanicHookInfo<'_>) {
    // A reader of executables that failed costs names, and who judges says so.
    if symbols::catches_panics() {
        return;
    }
    let said = Escaped::text(&panicked.to_string());
    output::text_err(&Escaped::fill("error: this is a mistake of heaptide: {}\n", [said]));
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        backtrace.to_string().lines().for_each(output::tell);
    }
}

fn answer(name: &'static str, argv: &[OsString]) -> ExitCode {
    let command = Args::command().bin_name(name);
    let args = command.try_get_matches_from(argv).and_then(|found| Args::from_arg_matches(&found));
    let result = match args {
        Ok(args) => cmd::run(args.command, argv),
        // Asked for: it goes to standard output as other answers do.
        Err(help) if !help.use_stderr() => output::help_out(&help.render()).map(|()| Exit::Clean),
        Err(usage) => {
            // Standard error may be closed; then nobody reads the usage.
            let _ = usage.print();
            Ok(Exit::Failed)
        }
    };
    let exit = result.unwrap_or_else(|cause| {
        output::text_err(&exit::in_words(&cause));
        Exit::Failed
    });
    exit.into()
}
