//! The counts of one cohort, the blocks of one site born in one bucket of epochs, as one thread made
//! them: the seam *counters*.
//!
//! A block may be made in one thread and freed in another, so no thread's counts alone say how many are
//! alive: the recorder sums those of all threads, while they count on. The contract:
//!
//! * Only the thread that owns a counter writes it, by plain loads and release stores ([`add`]).
//! * A block's free is counted after its allocation, by whoever got the block from its maker.
//! * The recorder reads the frees of all threads before any allocations.
//!
//! So every free that the recorder sees has an allocation that it will see, and no sum is negative. A
//! loom model holds this (`shared/loom_models.rs`).

#![forbid(unsafe_code)]

use crate::shared::arena::zeroed;
use crate::sync::Ordering::{Acquire, Relaxed};
use crate::sync::{AtomicU64, add};

zeroed! {
    /// Allocations and frees; single writer.
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

    /// Some blocks of so many bytes in all, made together.
    pub(crate) fn add_allocs(&self, objects: u64, bytes: u64) {
        add(&self.allocs, objects);
        add(&self.alloc_bytes, bytes);
    }

    /// Some blocks of so many bytes in all, freed together.
    pub(crate) fn add_frees(&self, objects: u64, bytes: u64) {
        add(&self.frees, objects);
        add(&self.freed_bytes, bytes);
    }

    /// The block lives on with other bytes. The new ones come first, as allocations do.
    pub(crate) fn resize(&self, old_bytes: u64, new_bytes: u64) {
        add(&self.alloc_bytes, new_bytes);
        add(&self.freed_bytes, old_bytes);
    }

    /// Back to nothing; only while the recorder passes over the slot.
    pub(crate) fn clear(&self) {
        for counter in [&self.allocs, &self.alloc_bytes, &self.frees, &self.freed_bytes] {
            counter.store(0, Relaxed);
        }
    }

    /// Objects and bytes made. To be read after the frees of every thread.
    pub(crate) fn allocs(&self) -> (u64, u64) {
        (self.allocs.load(Acquire), self.alloc_bytes.load(Acquire))
    }

    /// Objects and bytes freed. To be read before the allocations of any thread.
    pub(crate) fn frees(&self) -> (u64, u64) {
        (self.frees.load(Acquire), self.freed_bytes.load(Acquire))
    }
}
