//! `cargo ci tsan`: the shim's tests with ThreadSanitizer watching for data races.

use anyhow::Result;

use crate::program::{self, root, target_dir};
use crate::tool::{host, need_nightly, nightly_cargo};

pub(crate) fn run() -> Result<()> {
    need_nightly(&[])?;
    let suppressions = root().join("ci/tsan.suppressions");
    // The standard library is not instrumented: hence the permission to mix, and no report from
    // inside it. What the shim shares between threads goes through its own atomics.
    let flags = "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer";
    program::run(
        nightly_cargo(&["test", "--locked", "--package", "heaptide", "--target", &host()?])
            // One at a time: the test runner's own channel is not instrumented either.
            .args(["--lib", "--test", "churn", "--", "--test-threads=1"])
            .env("RUSTFLAGS", flags)
            .env("TSAN_OPTIONS", format!("suppressions={}", suppressions.display()))
            .env("CARGO_TARGET_DIR", target_dir("tsan")),
    )
}
