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
//!
//! What was counted of a cohort may move from one slot to another ([`Moves`]), so that not every thread
//! needs counters for every bucket.

#![forbid(unsafe_code)]

use core::iter::successors;

use heaptide_format::Bucket;

use crate::shared::arena::{Link, zeroed};
use crate::sync::Ordering::{Acquire, Relaxed, Release};
use crate::sync::{AtomicU32, AtomicU64, add, fence};

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

/// The bucket of a node that is nobody's cohort: later than all.
const NO_BUCKET: Bucket = Bucket(u32::MAX);

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

zeroed! {
    /// How often counts moved into a slot, twice; odd while they do.
    ///
    /// Counts that move are seen in both slots or in neither by a recorder that reads meanwhile. So it reads
    /// this before and after, and reads again if it is not the same. Single writer: who has the slot.
    #[derive(Debug)]
    pub(crate) struct Moves {
        n_halves: AtomicU64,
    }
}

impl Moves {
    /// Moves all counts of a cohort, and leaves its node for another bucket. The caller alone counts in
    /// either.
    pub(crate) fn move_counts(&self, from: &CohortNode, to: &CohortCounts) {
        let begun = self.n_halves.load(Relaxed).wrapping_add(1);
        self.n_halves.store(begun, Relaxed);
        // Who sees any of what follows sees that it is under way.
        fence(Release);
        let (allocs, alloc_bytes) = from.counts.allocs();
        let (frees, freed_bytes) = from.counts.frees();
        to.add_allocs(allocs, alloc_bytes);
        to.add_frees(frees, freed_bytes);
        from.vacate();
        self.n_halves.store(begun.wrapping_add(1), Release);
    }

    /// For comparison with what it is later, after an acquiring fence; `None` while counts move.
    pub(crate) fn so_far(&self) -> Option<u64> {
        let n_halves = self.n_halves.load(Acquire);
        n_halves.is_multiple_of(2).then_some(n_halves)
    }
}

impl CohortNode {
    pub(crate) fn bucket(&self) -> Bucket {
        Bucket(self.bucket.load(Relaxed))
    }

    pub(crate) fn counts(&self) -> &CohortCounts {
        &self.counts
    }

    /// Back to nothing, and nobody's cohort; only while the recorder passes over the slot, or would see
    /// that it is under way.
    pub(crate) fn vacate(&self) {
        self.counts.clear();
        self.bucket.store(NO_BUCKET.0, Relaxed);
    }

    /// Makes this node, which counts nothing, the cohort of a bucket.
    fn serve(&self, bucket: Bucket) -> &CohortCounts {
        // Whoever sees a count sees its bucket: counts are stored with a release.
        self.bucket.store(bucket.0, Relaxed);
        &self.counts
    }
}

impl CohortList {
    /// The cohort of `bucket`, if it is in the list, or a node that can be.
    pub(crate) fn find(&self, bucket: Bucket) -> Option<&'static CohortCounts> {
        let of = |bucket| self.nodes().find(|node| node.bucket() == bucket);
        let known = of(bucket).map(CohortNode::counts);
        known.or_else(|| Some(of(NO_BUCKET)?.serve(bucket)))
    }

    pub(crate) fn is_shorter_than(&self, n_nodes: usize) -> bool {
        self.nodes().count() < n_nodes
    }

    /// Adds a new node as the cohort of a bucket that is not in the list. Only one thread may.
    pub(crate) fn add(&self, node: &'static CohortNode, bucket: Bucket) -> &'static CohortCounts {
        let counts = node.serve(bucket);
        node.older.set(self.newest.get());
        self.newest.set(Some(node));
        counts
    }

    /// Every node in the list.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &'static CohortNode> {
        successors(self.newest.get(), |node| node.older.get())
    }
}

impl CohortIndex {
    /// Every node in the index.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &'static CohortNode> {
        self.lists.iter().flat_map(CohortList::nodes)
    }

    /// The list that the cohort of `bucket` belongs into.
    pub(crate) fn list(&self, bucket: Bucket) -> Option<&CohortList> {
        self.lists.get(bucket.0 as usize % INDEX_LISTS)
    }
}
