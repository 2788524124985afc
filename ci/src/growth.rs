//! `cargo ci growth`: ten thousand growth tests of functions that keep nothing, none of which may fail.

use anyhow::Result;

use ci::program::{self, cargo};

pub(crate) fn run() -> Result<()> {
    let program = ["--package", "heaptide-testing", "--example", "flakiness"];
    program::run(cargo(&["run", "--quiet", "--locked"]).args(program))
}
