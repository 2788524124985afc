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
//!
//! The cohorts of one slot are a list of single nodes: most slots have blocks of one bucket or two, and
//! pay for no more. A slot with blocks of many gets an index beside it, so that a look-up is never long.

#![forbid(unsafe_code)]

use core::iter::successors;

use heaptide_format::Bucket;

use crate::shared::arena::{Arena, Link, zeroed};
use crate::sync::Ordering::{Acquire, Relaxed};
use crate::sync::{AtomicU32, AtomicU64, add};

/// Cohorts in the list of a slot; those that come later are found by the index.
const LISTED: usize = 8;
/// Lists of the index: sixteen cohorts in each where a recording uses every bucket.
const INDEX_LISTS: usize = 32;

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

zeroed! {
    /// The counts of one cohort, in a list.
    #[derive(Debug)]
    pub(crate) struct CohortNode {
        counts: CohortCounts,
        older: Link<CohortNode>,
        bucket: AtomicU32,
    }
}

zeroed! {
    /// Cohorts, the latest first. Nodes are pushed by the one thread that counts in them, and stay.
    #[derive(Debug)]
    pub(crate) struct CohortList {
        newest: Link<CohortNode>,
    }
}

zeroed! {
    /// Where the cohorts are that did not come among the first: by bucket, in so many lists.
    #[derive(Debug)]
    pub(crate) struct CohortIndex {
        lists: [CohortList; INDEX_LISTS],
    }
}

impl CohortNode {
    fn bucket(&self) -> Bucket {
        Bucket(self.bucket.load(Relaxed))
    }
}

impl CohortList {
    /// Every cohort in the list.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Bucket, &'static CohortCounts)> {
        self.nodes().map(|node| (node.bucket(), &node.counts))
    }

    /// The cohort of `bucket`, if it is in the list.
    pub(crate) fn find(&self, bucket: Bucket) -> Option<&'static CohortCounts> {
        self.iter().find(|&(of, _)| of == bucket).map(|(_, counts)| counts)
    }

    /// Whether later cohorts belong into the index.
    pub(crate) fn is_full(&self) -> bool {
        self.nodes().nth(LISTED - 1).is_some()
    }

    /// Adds the cohort of a bucket that is not in the list; `None` without memory. Only one thread may.
    pub(crate) fn add(&self, arena: &Arena, bucket: Bucket) -> Option<&'static CohortCounts> {
        let node = arena.one::<CohortNode>()?;
        node.bucket.store(bucket.0, Relaxed);
        node.older.set(self.newest.get());
        // A release: who finds the node finds its bucket.
        self.newest.set(Some(node));
        Some(&node.counts)
    }

    fn nodes(&self) -> impl Iterator<Item = &'static CohortNode> {
        successors(self.newest.get(), |node| node.older.get())
    }
}

impl CohortIndex {
    /// Every cohort in the index.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Bucket, &'static CohortCounts)> {
        self.lists.iter().flat_map(CohortList::iter)
    }

    /// The list that the cohort of `bucket` belongs into.
    pub(crate) fn list(&self, bucket: Bucket) -> Option<&CohortList> {
        self.lists.get(bucket.0 as usize % INDEX_LISTS)
    }
}
