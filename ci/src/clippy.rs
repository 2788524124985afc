//! `cargo ci clippy`: no warning, in no target. The lints are in the root `Cargo.toml`; how long a
//! function may be is in `.clippy.toml`.

use anyhow::Result;

use ci::program::{self, cargo};

pub(crate) fn run() -> Result<()> {
    program::run(&mut cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ]))
}
