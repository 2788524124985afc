//! One counter cell: births and deaths of the blocks born in one bucket at one site, as one thread
//! counted them.
//!
//! The blocks of one site may be born in one thread and freed in another, so no cell alone says how
//! many are alive: the recorder sums the cells of all threads, while they count on. It reads all
//! deaths before any birth. A block's death is counted after its birth, by whoever got the block
//! from its maker, and all counts are release stores: so every death that the recorder sees has a
//! birth that it will see, and no sum is negative.

#![forbid(unsafe_code)]

use crate::shared::arena::zeroed;
use crate::sync::Ordering::{Acquire, Relaxed};
use crate::sync::{AtomicU64, add};

zeroed! {
    /// Births and deaths; single writer.
    #[derive(Debug)]
    pub(crate) struct CohortCounts {
        allocs: AtomicU64,
        alloc_bytes: AtomicU64,
        frees: AtomicU64,
        freed_bytes: AtomicU64,
    }
}

impl CohortCounts {
    #[inline(always)]
    pub(crate) fn add_alloc(&self, bytes: u64) {
        add(&self.allocs, 1);
        add(&self.alloc_bytes, bytes);
    }

    #[inline(always)]
    pub(crate) fn add_free(&self, bytes: u64) {
        add(&self.frees, 1);
        add(&self.freed_bytes, bytes);
    }

    /// Some blocks of so many bytes in all, born together.
    pub(crate) fn add_allocs(&self, objects: u64, bytes: u64) {
        add(&self.allocs, objects);
        add(&self.alloc_bytes, bytes);
    }

    /// Some blocks of so many bytes in all, ended together.
    pub(crate) fn add_frees(&self, objects: u64, bytes: u64) {
        add(&self.frees, objects);
        add(&self.freed_bytes, bytes);
    }

    /// The block lives on with other bytes. The new ones come first, as births do.
    pub(crate) fn resize(&self, old_bytes: u64, new_bytes: u64) {
        add(&self.alloc_bytes, new_bytes);
        add(&self.freed_bytes, old_bytes);
    }

    /// Back to nothing; only while nobody trusts the cell.
    pub(crate) fn clear(&self) {
        for counter in [&self.allocs, &self.alloc_bytes, &self.frees, &self.freed_bytes] {
            counter.store(0, Relaxed);
        }
    }

    /// Objects and bytes born. To be read after the deaths of every thread.
    pub(crate) fn allocs(&self) -> (u64, u64) {
        (self.allocs.load(Acquire), self.alloc_bytes.load(Acquire))
    }

    /// Objects and bytes that ended. To be read before the births of any thread.
    pub(crate) fn frees(&self) -> (u64, u64) {
        (self.frees.load(Acquire), self.freed_bytes.load(Acquire))
    }
}
