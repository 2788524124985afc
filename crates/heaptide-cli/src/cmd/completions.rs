//! `heaptide completions SHELL`

use std::io::{Write, stdout};

use clap::CommandFactory;

use crate::args::{Args, Completions};
use crate::exit::Exit;

pub(crate) fn run(args: &Completions) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "heaptide", &mut script);
    stdout().write_all(&script)?;
    Ok(Exit::Clean)
}
