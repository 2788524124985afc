//! `heaptide completions SHELL`

use clap::CommandFactory;

use crate::args::{Args, Completions};
use crate::exit::Exit;
use crate::output;

pub(crate) fn run(args: &Completions) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "heaptide", &mut script);
    output::bytes_out(&script)?;
    Ok(Exit::Clean)
}
