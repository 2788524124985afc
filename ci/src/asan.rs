//! `cargo ci asan`: the shim's tests with AddressSanitizer watching every access.

use anyhow::Result;

use ci::program::{self, target_dir};
use ci::tool::{host, need_nightly, nightly_cargo};

pub(crate) fn run() -> Result<()> {
    need_nightly(&[])?;
    program::run(
        nightly_cargo(&["test", "--locked", "--package", "heaptide", "--target", &host()?])
            // The sanitizer's own allocator does not say what is in use.
            .args(["--lib", "--test", "churn", "--", "--skip"])
            .arg("a_block_of_c_is_in_use_until_it_is_freed")
            .env("RUSTFLAGS", "-Zsanitizer=address")
            .env("CARGO_TARGET_DIR", target_dir("asan")),
    )
}
