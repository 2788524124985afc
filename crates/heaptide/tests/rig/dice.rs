//! Numbers by chance that are the same in every run.

#![forbid(unsafe_code)]

use std::cell::Cell;

/// Marsaglia's xorshift64 (2003, triple 13, 7, 17). Allocates nothing.
pub(crate) struct Dice(Cell<u64>);

impl Dice {
    /// Another sequence for each seed. A generator that begins with few bits gives small numbers at
    /// first, and one that begins with 0 gives nothing else: so none begins with its seed alone.
    pub(crate) fn new(seed: u64) -> Self {
        const GOLDEN_RATIO: u64 = 0x9e37_79b9_7f4a_7c15;
        Self(Cell::new(seed.wrapping_add(GOLDEN_RATIO).max(1)))
    }

    /// A number below `sides`.
    pub(crate) fn roll(&self, sides: u64) -> u64 {
        let mut bits = self.0.get();
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        self.0.set(bits);
        bits % sides
    }
}
