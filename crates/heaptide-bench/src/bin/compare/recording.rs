//! What the recording of a run says about the stacks in it.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use heaptide_format::{Line, Mode, Snapshot};

use crate::contender::Records;

/// How the stacks of one run were found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stacks {
    pub(crate) allocs: u64,
    pub(crate) misses: u64,
    /// Different stacks. Each was missed once by each thread that came to it.
    pub(crate) sites: u64,
    pub(crate) uncacheable: u64,
    pub(crate) truncated: u64,
    /// What the shim itself holds.
    pub(crate) own_bytes: u64,
}

impl Stacks {
    /// The share of allocations whose stack was recognised.
    pub(crate) fn hit_rate(&self) -> f64 {
        1.0 - self.misses as f64 / self.allocs.max(1) as f64
    }

    /// The same on one thread, of stacks that it had seen before.
    pub(crate) fn recognised(&self) -> f64 {
        let again = self.misses.saturating_sub(self.sites);
        1.0 - again as f64 / self.allocs.saturating_sub(self.sites).max(1) as f64
    }
}

/// Reads the recording, whose mode must be the one that was asked for.
pub(crate) fn stacks(path: &Path, wanted: Records) -> Result<Stacks> {
    let bytes = std::fs::read(path).with_context(|| "it left no recording".to_owned())?;
    let mut mode = None;
    let (mut last, mut sites) = (None, 0);
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        match Line::parse(line)? {
            Line::Header(header) => mode = Some(header.mode),
            Line::Snapshot(snapshot) => last = Some(snapshot),
            Line::Site(_) => sites += 1,
            _ => {}
        }
    }
    match (mode.context("its recording has no header")?, wanted) {
        (Mode::Exact, Records::Exactly) | (Mode::Sampled { .. }, Records::Samples) => {}
        (Mode::Exact, _) => bail!("it recorded exactly, which was not asked for"),
        (Mode::Sampled { .. }, _) => bail!("it recorded samples, which was not asked for"),
    }
    of(&last.context("its recording has no snapshot")?, sites)
}

fn of(last: &Snapshot, sites: u64) -> Result<Stacks> {
    let unwinding = last.unwinding.context("its recording does not count misses")?;
    ensure!(last.dropped.blocks == 0, "it lost {} blocks", last.dropped.blocks);
    Ok(Stacks {
        allocs: last.heap.allocs,
        misses: unwinding.misses,
        sites,
        uncacheable: unwinding.uncacheable,
        truncated: last.dropped.frames,
        own_bytes: last.own_bytes,
    })
}
