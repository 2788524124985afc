//! `cargo ci tsan`: the shim's tests with ThreadSanitizer watching for data races.

use anyhow::Result;

use ci::program::{self, root, target_dir};
use ci::tool::{host, need_nightly, nightly_cargo};

pub(crate) fn run() -> Result<()> {
    need_nightly(&["rust-src"])?;
    let suppressions = root().join("ci/tsan.suppressions");
    program::run(
        nightly_cargo(&["test", "--locked", "--package", "heaptide", "--target", &host()?])
            // The standard library too, so that its locks and channels are seen to order things.
            .arg("-Zbuild-std")
            .args(["--lib", "--test", "churn", "--test", "threads", "--", "--test-threads=1"])
            // Its destructors run when the sanitizer has already left the thread, and crash it.
            .args(["--skip", "teardown_is_counted"])
            // The sanitizer's own allocator does not say what is in use.
            .args(["--skip", "a_block_of_c_is_in_use_until_it_is_freed"])
            .env("RUSTFLAGS", "-Zsanitizer=thread")
            // Properties of safe code on one thread: other checks try more cases.
            .env("PROPTEST_CASES", "16")
            .env("TSAN_OPTIONS", format!("suppressions={}", suppressions.display()))
            .env("CARGO_TARGET_DIR", target_dir("tsan")),
    )
}
