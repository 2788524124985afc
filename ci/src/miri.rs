//! `cargo ci miri`: the shim's unit tests of what stands on unsafe code, under an interpreter that
//! knows what undefined behaviour is.
//!
//! It can neither ask a loader nor walk a real stack: tests of those say `cfg_attr(miri, ignore)`
//! with the reason. Tests of purely safe arithmetic would only take its time.

use anyhow::Result;

use ci::program::{self, target_dir};
use ci::tool::{need_nightly, nightly_cargo};

pub(crate) fn run() -> Result<()> {
    need_nightly(&["miri", "rust-src"])?;
    program::run(
        nightly_cargo(&["miri", "test", "--locked", "--lib", "--package", "heaptide", "--"])
            .args(["arena::", "labels::", "unwind::"])
            .env("MIRIFLAGS", "-Zmiri-strict-provenance -Zmiri-disable-isolation")
            .env("CARGO_TARGET_DIR", target_dir("miri")),
    )
}
