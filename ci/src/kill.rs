//! `cargo ci kill`: every call of the recorder that changes a file, with a kill or an error there.
//!
//! The same tests run in `cargo ci test`, at every seventh point.

use anyhow::Result;

use ci::program::{self, cargo};

pub(crate) fn run() -> Result<()> {
    let args = ["test", "-p", "heaptide", "--lib", "recorder::crash", "--", "--nocapture"];
    program::run(cargo(&args).env("HEAPTIDE_KILL_POINTS", "all"))
}
