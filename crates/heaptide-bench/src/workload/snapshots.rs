//! What the recorder costs: the way to the first snapshot, and snapshots of many sites.

use super::sites::{block_at, crowd};
use crate::measure::{Clocks, Measured, cpu_time, ns};

/// The size for which `docs/BENCHMARKS.md` states what a snapshot takes.
const N_SITES: u64 = 10_000;
/// Enough bits for all of them: each frame is one of two.
const DEPTH: u32 = 14;
/// Their mean is reported; a single one may meet the disk at a bad time.
const N_SNAPSHOTS: u64 = 20;

/// As many sites as a very large service has, of which one in so many changes between two snapshots:
/// those are never neighbours.
const N_MANY_SITES: u64 = 100_000;
const CHANGING_SHARE: u64 = 100;
const MANY_DEPTH: u32 = 17;
/// Enough for several segments, of which each begins once.
const N_CHANGES: u64 = 800;

/// So many times blocks are born, each apart from all others.
const N_EPOCHS: u64 = 400;
/// Of the crowd's stacks one in so many between two snapshots, so that it ends in a minute.
const CROWD_ONE_IN: usize = 16;

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

/// The same of many sites, few of which changed: prints what each took, the first one first, in
/// nanoseconds of the processor.
pub(crate) fn of_few_changes(snapshot: &dyn Fn()) -> Measured {
    let mut live: Vec<_> = (0..N_MANY_SITES).map(|path| block_at(path, MANY_DEPTH)).collect();
    let clocks = Clocks::start();
    for round in 0..=N_CHANGES {
        let before = clocks.cpu();
        snapshot();
        println!("{}", ns(clocks.cpu() - before));
        for path in (round % CHANGING_SHARE..N_MANY_SITES).step_by(CHANGING_SHARE as usize) {
            live[path as usize] = block_at(path, MANY_DEPTH);
        }
    }
    clocks.stop(N_CHANGES + 1)
}

/// A snapshot after each round of a crowd: how much is kept of when blocks were born. An operation is a round.
pub(crate) fn of_crowd(snapshot: &dyn Fn()) -> Measured {
    let clocks = Clocks::start();
    crowd(N_EPOCHS, CROWD_ONE_IN, snapshot);
    clocks.stop(N_EPOCHS)
}
