//! `cargo ci fuzz`: damage for every reader, and processes made up for every writer, guided by coverage: two
//! and a half minutes each, or as many seconds as `FUZZ_SECONDS` says (3600 is an hour each). What it prints
//! at the end of a target is how often it ran and what it covered.
//!
//! The flags are those that `cargo fuzz` passes; giving them ourselves saves installing it.

use std::env;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use ci::program::{self, program, root, target_dir};
use ci::tool::{host, need_nightly, nightly_cargo};

const FLAGS: &str = "-Zsanitizer=address -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table";

/// Inputs have a few kilobytes: one allocation of this size is out of all proportion.
const LIMITS: [&str; 4] =
    ["-malloc_limit_mb=32", "-rss_limit_mb=1024", "-timeout=10", "-print_final_stats=1"];
/// Time for a target, in seconds.
const SECONDS: &str = "150";

/// Where damage starts from.
enum Seed {
    /// The lines of recordings of released versions.
    Lines,
    /// These recordings.
    Recordings,
    /// What is kept beside the target.
    Kept,
}

pub(crate) fn run() -> Result<()> {
    need_nightly(&[])?;
    fuzz("heaptide-format", "line", Seed::Lines)?;
    fuzz("heaptide-analyze", "recording", Seed::Recordings)?;
    let readers = ["policy", "baseline", "allow", "elf"];
    readers.into_iter().try_for_each(|name| fuzz("heaptide-analyze", name, Seed::Kept))?;
    fuzz("heaptide-report", "writers", Seed::Kept)
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
    let seeds = match seed {
        Seed::Lines | Seed::Recordings => root().join("crates/heaptide-format/tests/data"),
        Seed::Kept => root().join("crates").join(package).join("fuzz/seeds").join(name),
    };
    for entry in fs::read_dir(&seeds).with_context(|| seeds.display().to_string())? {
        plant(&entry?.path(), &seed, &corpus)?;
    }
    let binary = target.join(host).join("release").join(name);
    let seconds = env::var("FUZZ_SECONDS").unwrap_or_else(|_| SECONDS.to_owned());
    let mut fuzzer = program(&binary.to_string_lossy(), &LIMITS);
    fuzzer.arg(format!("-max_total_time={seconds}"));
    program::run(fuzzer.arg(&corpus).current_dir(&target))
}

/// A file, or each of its lines.
fn plant(file: &Path, seed: &Seed, corpus: &Path) -> Result<()> {
    let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    match seed {
        Seed::Recordings | Seed::Kept => {
            fs::copy(file, corpus.join(name)).with_context(|| file.display().to_string())?;
        }
        Seed::Lines => {
            let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
            for (number, line) in text.lines().enumerate() {
                fs::write(corpus.join(format!("{name}-{number}")), line)?;
            }
        }
    }
    Ok(())
}
