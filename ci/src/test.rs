//! `cargo ci test`: every test, and every example in the documentation.
//!
//! nextest runs each test in a process of its own and shows the slow ones; where it is not
//! installed, cargo's own runner gives the same verdict.

use anyhow::Result;

use ci::program::{self, cargo};
use ci::tool::has_cargo_command;

pub(crate) fn run() -> Result<()> {
    if !has_cargo_command("nextest") {
        return program::run(&mut cargo(&["test", "--workspace", "--locked", "--no-fail-fast"]));
    }
    let tests = ["nextest", "run", "--workspace", "--locked", "--no-fail-fast"];
    let passed = program::run(cargo(&tests).args(["--status-level", "fail"]));
    let examples = program::run(&mut cargo(&["test", "--workspace", "--locked", "--doc"]));
    passed.and(examples)
}
