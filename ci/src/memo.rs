//! `cargo ci memo`: a million remembered stacks, each compared with a fresh unwind.

use anyhow::Result;

use ci::program::{self, cargo};

pub(crate) fn run() -> Result<()> {
    let test = ["--package", "heaptide", "--features", "verify", "--test", "differential"];
    program::run(cargo(&["test", "--locked"]).args(test).args(["--", "--nocapture"]))
}
