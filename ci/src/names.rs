//! `cargo ci names`: what call sites are called, for each amount of debug information, optimised or
//! not, linked at once, split or stripped, under both manglings.

use anyhow::Result;

use ci::program::{self, cargo};

pub(crate) fn run() -> Result<()> {
    let test = ["test", "--locked", "--package", "heaptide-analyze", "--test", "names"];
    program::run(cargo(&test).args(["--", "--include-ignored", "--nocapture", "--test-threads=1"]))
}
