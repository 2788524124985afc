//! `cargo ci fmt`: one layout, so that a diff shows what changed and nothing else.

use anyhow::Result;

use ci::program::{self, cargo};

pub(crate) fn run() -> Result<()> {
    program::run(&mut cargo(&["fmt", "--all", "--check"]))
}
