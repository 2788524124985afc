//! `cargo ci oracle`: the shim's counts against two counters that nobody here wrote or that are too
//! simple to be wrong: `dhat` in a process of its own, and a counting allocator around the shim.

use anyhow::Result;

use ci::program::{self, cargo};

pub(crate) fn run() -> Result<()> {
    program::run(&mut cargo(&["test", "--locked", "--package", "heaptide", "--test", "oracle*"]))
}
