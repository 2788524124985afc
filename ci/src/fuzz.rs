//! `cargo ci fuzz`: five minutes of damaged lines for the parser, guided by coverage.
//!
//! The flags are those that `cargo fuzz` passes; giving them ourselves saves installing it.

use std::fs;

use anyhow::{Context, Result};

use crate::program::{self, program, root, target_dir};
use crate::tool::{host, need_nightly, nightly_cargo};

const FLAGS: &str = "-Zsanitizer=address -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table";

pub(crate) fn run() -> Result<()> {
    need_nightly(&[])?;
    let (host, target) = (host()?, target_dir("fuzz"));
    let format = root().join("crates/heaptide-format");
    program::run(
        nightly_cargo(&["build", "--release", "--target", &host])
            .current_dir(format.join("fuzz"))
            .env("RUSTFLAGS", FLAGS)
            .env("CARGO_TARGET_DIR", &target),
    )?;
    let corpus = target.join("corpus");
    seed(&format.join("tests/data"), &corpus)?;
    let binary = target.join(host).join("release/line");
    let mut fuzzer = program(&binary.to_string_lossy(), &["-max_total_time=300"]);
    program::run(fuzzer.arg(&corpus).current_dir(&target))
}

/// Every line of every released recording is a place to start from.
fn seed(data: &std::path::Path, corpus: &std::path::Path) -> Result<()> {
    fs::create_dir_all(corpus).with_context(|| corpus.display().to_string())?;
    for entry in fs::read_dir(data).with_context(|| data.display().to_string())? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        for (number, line) in fs::read_to_string(&path)?.lines().enumerate() {
            fs::write(corpus.join(format!("{name}-{number}")), line)?;
        }
    }
    Ok(())
}
