//! Many call stacks. Two functions call each other in an order that the bits of a number spell out,
//! so as many stacks as there are numbers end in the same allocation.

use std::hint::black_box;

use super::{Allocating, Rng};

/// Stacks of [`Allocating::sites`].
const N_SITES: u64 = 5_000;
/// Enough bits for all of them.
const SITES_DEPTH: u32 = 13;
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
    /// One live block for each of 5,000 stacks, replaced in random order.
    pub(crate) fn sites() -> Self {
        let mut rng = Rng::new(7);
        let mut live = vec![Vec::new(); N_SITES as usize];
        Self::new(4 * N_SITES, 1_000, move |ops| {
            for _ in 0..ops {
                let path = rng.next() % N_SITES;
                live[path as usize] = block_at(path, SITES_DEPTH);
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
