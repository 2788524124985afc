//! One file per subcommand. Each takes what was typed and returns how to exit.

mod baseline;
mod check;
mod completions;
mod demo;
mod demo_shop;
mod diff;
mod doctor;
mod init;
mod man;
mod report;
mod run;
mod serve;
mod show;
mod snapshot;

use std::ffi::OsString;

use crate::args::Command;
use crate::exit::Exit;

/// Does what was asked by `argv`.
pub(crate) fn run(command: Command, argv: &[OsString]) -> anyhow::Result<Exit> {
    match command {
        Command::Run(args) => run::run(&args, argv),
        Command::Demo(args) => demo::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Show(args) => show::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Top(args) => crate::top::run(&args),
        Command::Baseline(args) => baseline::run(&args),
        Command::Snapshot(args) => snapshot::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
        Command::DemoShop(args) => demo_shop::run(&args),
    }
}
