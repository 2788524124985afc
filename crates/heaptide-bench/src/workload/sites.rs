//! Many call stacks. Two functions call each other in an order that the bits of a number spell out,
//! so as many stacks as there are numbers end in the same allocation.

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;

use super::{Allocating, Rng};

/// Stacks and threads of [`Allocating::crowd`].
const CROWD_SITES: u64 = 20_000;
const CROWD_THREADS: usize = 32;
/// Of [`Allocating::unbounded`]: a trillion stacks, and as many live blocks as a small program has.
const UNBOUNDED_DEPTH: u32 = 40;
const UNBOUNDED_LIVE: usize = 2_000;
/// More than any table of stacks holds.
const UNBOUNDED_WARM_UP: u64 = 300_000;
/// Enough bits for all stacks that a run can make.
const NEW_DEPTH: u32 = 20;

/// A block of 40 bytes at the stack that the lowest `depth` bits of `path` spell out.
#[inline(always)]
pub(crate) fn block_at(path: u64, depth: u32) -> Vec<u8> {
    if depth == 0 {
        Vec::with_capacity(black_box(40))
    } else if path & 1 == 0 {
        left(path >> 1, depth - 1)
    } else {
        right(path >> 1, depth - 1)
    }
}

/// All threads over all stacks, or over one in so many of them and others the next time; `between` runs after
/// each time, while they wait.
pub(crate) fn crowd(rounds: u64, one_in: usize, between: &dyn Fn()) {
    let depth = enough_bits(CROWD_SITES);
    let step = Barrier::new(CROWD_THREADS + 1);
    let work = || {
        for first in (0..one_in as u64).cycle().take(rounds as usize) {
            step.wait();
            let paths = (first..CROWD_SITES).step_by(one_in);
            paths.for_each(|path| drop(block_at(path, depth)));
            // Who ends leaves what was kept for him to the next: so nobody does before all are done.
            step.wait();
        }
    };
    thread::scope(|scope| {
        for _ in 0..CROWD_THREADS {
            scope.spawn(work);
        }
        for _ in 0..rounds {
            step.wait();
            step.wait();
            between();
        }
    });
}

/// Bits for so many numbers.
fn enough_bits(n: u64) -> u32 {
    u64::BITS - (n - 1).leading_zeros()
}

#[inline(never)]
fn left(path: u64, depth: u32) -> Vec<u8> {
    let block = block_at(path, depth);
    black_box(&block);
    block
}

#[inline(never)]
fn right(path: u64, depth: u32) -> Vec<u8> {
    let block = block_at(path, depth);
    // Not what `left` does, or the two would be folded into one.
    black_box((&block, path));
    block
}

impl Allocating {
    /// One live block for each of so many stacks, replaced in random order.
    pub(crate) fn sites(n_sites: u64) -> Self {
        let mut rng = Rng::new(7);
        let mut live = vec![Vec::new(); n_sites as usize];
        let depth = enough_bits(n_sites);
        Self::new(4 * n_sites, 1_000, move |ops| {
            for _ in 0..ops {
                let path = rng.next() % n_sites;
                live[path as usize] = block_at(path, depth);
            }
        })
    }

    /// Many stacks, each on many threads at once: what is kept for each of both adds up here. An
    /// operation is a round of all threads over all stacks; each block is freed at once.
    pub(crate) fn crowd() -> Self {
        Self::new(0, 1, |rounds| crowd(rounds, 1, &|| ()))
    }

    /// Stacks of which hardly one comes twice; some stay alive.
    pub(crate) fn unbounded() -> Self {
        let mut rng = Rng::new(7);
        let mut live = vec![Vec::new(); UNBOUNDED_LIVE];
        Self::new(UNBOUNDED_WARM_UP, 1_000, move |ops| {
            for _ in 0..ops {
                let path = rng.next();
                live[path as usize % UNBOUNDED_LIVE] = block_at(path, UNBOUNDED_DEPTH);
            }
        })
    }

    /// Every stack is a new one; its block is freed at once.
    pub(crate) fn new_stacks() -> Self {
        let mut path = 0;
        Self::new(0, 1_000, move |ops| {
            for _ in 0..ops {
                drop(block_at(path, NEW_DEPTH));
                path += 1;
            }
        })
    }
}
