//! Work that is done by programs of their own: the benchmark and the evaluation. They compile the
//! analyzer, the shim and everybody's peers, which no check should have to wait for.

use anyhow::Result;

use ci::program::{cargo, run};

pub(crate) fn bench() -> Result<()> {
    comparing("bench")
}

pub(crate) fn instructions() -> Result<()> {
    comparing("instructions")
}

pub(crate) fn snapshots() -> Result<()> {
    comparing("snapshots")
}

pub(crate) fn lines() -> Result<()> {
    comparing("lines")
}

pub(crate) fn soak() -> Result<()> {
    comparing("soak")
}

pub(crate) fn analysis() -> Result<()> {
    // It reads beside what it measures, and an unoptimised reader is no measure.
    evaluating("analysis", &["--release"])
}

pub(crate) fn leaks() -> Result<()> {
    evaluating("leaks", &[])
}

pub(crate) fn parts() -> Result<()> {
    evaluating("parts", &[])
}

pub(crate) fn account() -> Result<()> {
    evaluating("account", &[])
}

pub(crate) fn programs() -> Result<()> {
    evaluating("programs", &[])
}

pub(crate) fn sweep() -> Result<()> {
    evaluating("sweep", &[])
}

pub(crate) fn verdict() -> Result<()> {
    evaluating("verdict", &[])
}

fn comparing(what: &str) -> Result<()> {
    let program = ["--package", "heaptide-bench", "--bin", "bench-compare", "--", what];
    run(cargo(&["run", "--quiet", "--locked"]).args(program))
}

fn evaluating(what: &str, how: &[&str]) -> Result<()> {
    let program = ["--package", "heaptide-eval", "--", what];
    run(cargo(&["run", "--quiet", "--locked"]).args(how).args(program))
}
