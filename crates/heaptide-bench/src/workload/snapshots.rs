//! What the recorder costs: the way to the first snapshot, and snapshots of many sites.

use super::sites::block_at;
use crate::measure::{Clocks, Measured, cpu_time, ns};

/// The size for which `docs/BENCHMARKS.md` states what a snapshot takes.
const N_SITES: u64 = 10_000;
/// Enough bits for all of them: each frame is one of two.
const DEPTH: u32 = 14;
/// Their mean is reported; a single one may meet the disk at a bad time.
const N_SNAPSHOTS: u64 = 20;

/// The processor's time from the start of the process to the end of the first snapshot.
pub(crate) fn first(snapshot: &dyn Fn()) -> Measured {
    let clocks = Clocks::start();
    snapshot();
    let measured = clocks.stop(1);
    Measured { cpu_ns: ns(cpu_time()), ..measured }
}

/// An operation is a snapshot. The caller waits meanwhile, so the time is the recorder's.
pub(crate) fn of_many_sites(snapshot: &dyn Fn()) -> Measured {
    let mut live = Vec::new();
    let mut sum = Measured::default();
    for round in 0..=N_SNAPSHOTS {
        live.extend((0..N_SITES).map(|path| block_at(path, DEPTH)));
        let clocks = Clocks::start();
        snapshot();
        let measured = clocks.stop(1);
        // The first one writes the stacks as well.
        if round > 0 {
            sum.ops += 1;
            sum.cpu_ns += measured.cpu_ns;
            sum.wall_ns += measured.wall_ns;
        }
    }
    let cpu_ns_per_op = sum.cpu_ns as f64 / sum.ops as f64;
    Measured { total_ops: sum.ops + 1, cpu_ns_per_op, ..sum }
}
