//! `cargo ci asan`: the shim's tests with AddressSanitizer watching every access.

use anyhow::Result;

use ci::program::{self, target_dir};
use ci::tool::{host, need_nightly, nightly_cargo};

pub(crate) fn run() -> Result<()> {
    need_nightly(&[])?;
    program::run(
        nightly_cargo(&["test", "--locked", "--package", "heaptide", "--target", &host()?])
            .args(["--lib", "--test", "churn"])
            .env("RUSTFLAGS", "-Zsanitizer=address")
            .env("CARGO_TARGET_DIR", target_dir("asan")),
    )
}
