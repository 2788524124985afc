//! `cargo ci targets`: the shim compiles for machines other than this one.
//!
//! The second first-class machine, the other C library, and one machine whose stacks only the
//! fallback can take. A check needs no linker and no emulator.

use anyhow::Result;

use ci::program::{self, cargo, target_dir};
use ci::tool::need_target;

const TARGETS: [&str; 3] =
    ["aarch64-unknown-linux-gnu", "x86_64-unknown-linux-musl", "riscv64gc-unknown-linux-gnu"];

pub(crate) fn run() -> Result<()> {
    for target in TARGETS {
        need_target(target)?;
        let check = ["check", "--locked", "--quiet", "--package", "heaptide", "--target", target];
        let flags = ("RUSTFLAGS", "-Dwarnings");
        program::run(cargo(&check).envs([flags]).env("CARGO_TARGET_DIR", target_dir("targets")))?;
    }
    Ok(())
}
