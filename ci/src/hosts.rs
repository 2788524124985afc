//! `cargo ci hosts`: small programs of every kind that the shim must not harm, under every allocator
//! and beside its peers; expected and seen.
//!
//! What it runs, and what is expected, stands in `crates/heaptide/tests/hosts`. A part of it that
//! takes less than three minutes is what every change must pass.

use anyhow::Result;

use ci::program::{cargo, run};

/// The command that builds and runs the matrix.
const MATRIX: [&str; 8] =
    ["run", "--quiet", "--locked", "--package", "heaptide-hosts", "--bin", "host-matrix", "--"];

/// All hosts in all columns.
pub(crate) fn all() -> Result<()> {
    run(&mut cargo(&MATRIX))
}

/// The hosts that broke once and are quick, over the system's allocator.
pub(crate) fn part() -> Result<()> {
    run(cargo(&MATRIX).arg("--part"))
}
