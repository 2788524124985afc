//! `cargo ci miri`: the unit tests of the format and of the shim under an interpreter that knows
//! what undefined behaviour is.
//!
//! It can neither map memory as the shim does nor walk a real stack: tests of those say
//! `cfg_attr(miri, ignore)` with the reason.

use anyhow::Result;

use crate::program::{self, target_dir};
use crate::tool::{need_nightly, nightly_cargo};

pub(crate) fn run() -> Result<()> {
    need_nightly(&["miri", "rust-src"])?;
    program::run(
        nightly_cargo(&["miri", "test", "--locked", "--lib"])
            .args(["--package", "heaptide-format", "--package", "heaptide"])
            .env("MIRIFLAGS", "-Zmiri-strict-provenance -Zmiri-disable-isolation")
            .env("CARGO_TARGET_DIR", target_dir("miri")),
    )
}
