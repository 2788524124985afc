//! The peers' micro workload: blocks of 16 to 527 bytes, made under 5 to 16 frames of recursion,
//! 10,000 of them alive, or fewer. An operation is one allocation and one free. Beside it, small blocks that
//! stay, for what a block costs in memory.

use std::hint::black_box;

use super::{Allocating, Rng};

/// The state that Marsaglia's paper on xorshift begins with; the same blocks under every allocator.
const SEED: u64 = 88_172_645_463_325_252;

/// A block of `size` bytes, asked for `depth` frames further down.
#[inline(never)]
fn descend(depth: u32, size: usize) -> Vec<u8> {
    if depth == 0 {
        return Vec::with_capacity(size);
    }
    let block = descend(depth - 1, size);
    black_box(&block);
    block
}

/// Blocks in slots; a new one takes the place of an old one.
#[derive(Debug)]
pub(crate) struct Slots {
    rng: Rng,
    live: Vec<Vec<u8>>,
}

impl Slots {
    pub(crate) fn new(seed: u64, n_live: usize) -> Self {
        Self { rng: Rng::new(seed), live: vec![Vec::new(); n_live] }
    }

    /// Makes a block under 5 to 16 frames; the one whose place it took.
    pub(crate) fn replace_one(&mut self) -> Vec<u8> {
        let random = self.rng.next();
        let size = 16 + (random % 512) as usize;
        let depth = 5 + (random >> 16) as u32 % 12;
        let at = (random >> 32) as usize % self.live.len();
        std::mem::replace(&mut self.live[at], descend(depth, size))
    }
}

impl Allocating {
    /// Each operation replaces one of so many blocks; the peers have 10,000.
    pub(crate) fn micro(n_live: usize) -> Self {
        let mut slots = Slots::new(SEED, n_live);
        Self::new(2 * n_live as u64, 1_000, move |ops| {
            for _ in 0..ops {
                drop(slots.replace_one());
            }
        })
    }

    /// Blocks of 16 to 63 bytes, none of which is freed.
    pub(crate) fn small_live() -> Self {
        let mut rng = Rng::new(SEED);
        let mut live: Vec<Vec<u8>> = Vec::new();
        Self::new(0, 100_000, move |ops| {
            live.reserve_exact(ops as usize);
            for _ in 0..ops {
                live.push(black_box(vec![1; 16 + (rng.next() % 48) as usize]));
            }
        })
    }
}
