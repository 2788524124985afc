//! `cargo ci loom`: the models of the shim's lock-free structures, in every interleaving.
//!
//! Two pre-emptions find almost every real bug and keep each model under a minute; three cost about
//! ten times as much and are a matter for a night (`LOOM_MAX_PREEMPTIONS=3 cargo ci loom`).

use anyhow::Result;

use ci::program::{self, cargo, target_dir};

pub(crate) fn run() -> Result<()> {
    let bound = std::env::var("LOOM_MAX_PREEMPTIONS").unwrap_or_else(|_| "2".into());
    program::run(
        cargo(&["test", "--locked", "--release", "--package", "heaptide", "--lib", "loom"])
            .env("RUSTFLAGS", "--cfg loom")
            .env("LOOM_MAX_PREEMPTIONS", bound)
            .env("CARGO_TARGET_DIR", target_dir("loom")),
    )
}
