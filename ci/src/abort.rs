//! `cargo ci abort`: the shim's tests in a program that is built with `panic = "abort"`: unwind tables
//! are there all the same, and stacks as whole.

use anyhow::Result;

use ci::program::{self, target_dir};
use ci::tool::{need_nightly, nightly_cargo};

pub(crate) fn run() -> Result<()> {
    need_nightly(&[])?;
    program::run(
        // Only the nightly cargo lets tests abort. Each case has a process of its own anyway.
        nightly_cargo(&["test", "--locked", "--package", "heaptide", "-Zpanic-abort-tests"])
            .args(["--test", "stacks", "--test", "hook", "--test", "recorder"])
            .env("CARGO_PROFILE_DEV_PANIC", "abort")
            .env("CARGO_TARGET_DIR", target_dir("abort")),
    )
}
