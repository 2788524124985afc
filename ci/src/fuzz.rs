//! `cargo ci fuzz`: five minutes of damage for the parser of lines and for the reader of
//! recordings, guided by coverage.
//!
//! The flags are those that `cargo fuzz` passes; giving them ourselves saves installing it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use ci::program::{self, program, root, target_dir};
use ci::tool::{host, need_nightly, nightly_cargo};

const FLAGS: &str = "-Zsanitizer=address -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table";

/// Inputs have a few kilobytes: one allocation of this size is out of all proportion.
const LIMITS: [&str; 3] = ["-max_total_time=150", "-malloc_limit_mb=32", "-rss_limit_mb=1024"];

/// Where damage starts from.
enum Seed {
    Lines,
    Recordings,
}

pub(crate) fn run() -> Result<()> {
    need_nightly(&[])?;
    fuzz("heaptide-format", "line", Seed::Lines)?;
    fuzz("heaptide-analyze", "recording", Seed::Recordings)
}

fn fuzz(package: &str, name: &str, seed: Seed) -> Result<()> {
    let (host, target) = (host()?, target_dir("fuzz"));
    program::run(
        nightly_cargo(&["build", "--release", "--target", &host])
            .current_dir(root().join("crates").join(package).join("fuzz"))
            .env("RUSTFLAGS", FLAGS)
            .env("CARGO_TARGET_DIR", &target),
    )?;
    let corpus = target.join("corpus").join(name);
    fs::create_dir_all(&corpus).with_context(|| corpus.display().to_string())?;
    let released = root().join("crates/heaptide-format/tests/data");
    for entry in fs::read_dir(&released).with_context(|| released.display().to_string())? {
        plant(&entry?.path(), &seed, &corpus)?;
    }
    let binary = target.join(host).join("release").join(name);
    let mut fuzzer = program(&binary.to_string_lossy(), &LIMITS);
    program::run(fuzzer.arg(&corpus).current_dir(&target))
}

/// A recording of a released version, or each of its lines.
fn plant(recording: &Path, seed: &Seed, corpus: &Path) -> Result<()> {
    let name = recording.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let text = fs::read_to_string(recording).with_context(|| recording.display().to_string())?;
    match seed {
        Seed::Recordings => fs::write(corpus.join(name), text)?,
        Seed::Lines => {
            for (number, line) in text.lines().enumerate() {
                fs::write(corpus.join(format!("{name}-{number}")), line)?;
            }
        }
    }
    Ok(())
}
