//! The side table: which addresses are those of sampled blocks, and what was noted of them.
//!
//! Buckets by hash of the address; a bucket is a chain of chunks, pushed in front and never
//! removed; a chunk is a few slots, used again and again. Nobody waits: a slot is claimed by
//! compare-and-swap on its key, and published by storing the address there.
//!
//! Removing needs no read-modify-write. Only who holds a block may end it, so of the threads that
//! look at a slot with an address in it, at most one is entitled to that address. It takes the
//! entry out before the address goes back to the inner allocator, so at most one entry is ever
//! published for an address, and it is of the block that is there now. Who frees a block got it
//! from whoever made it, and therefore sees its entry.

#![forbid(unsafe_code)]

use crate::shared::arena::{Arena, Link, zeroed};
use crate::shared::trailer::Birth;
use crate::sync::AtomicU64;
use crate::sync::Ordering::{Acquire, Relaxed, Release};

/// 64 KiB of heads: at 512 KiB a period, a heap of 64 GiB has sixteen entries to a head.
const HEADS: usize = 1 << 13;
/// Entries of a chunk, whose keys fill two cache lines; under loom few, so that chains grow.
const SLOTS: usize = if cfg!(loom) { 2 } else { 16 };

/// Keys that are no address.
const EMPTY: u64 = 0;
const CLAIMED: u64 = 1;

/// What is known of a sampled block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) birth: Birth,
    /// For how many blocks it stands.
    pub(crate) weight: u64,
}

zeroed! {
    /// Some slots of a bucket.
    #[derive(Debug)]
    pub(crate) struct Chunk {
        keys: [AtomicU64; SLOTS],
        births: [AtomicU64; SLOTS],
        weights: [AtomicU64; SLOTS],
        next: Link<Chunk>,
    }
}

/// The table. One per process; tests make their own.
#[derive(Debug)]
pub(crate) struct SampleTable {
    heads: &'static [Link<Chunk>],
}

/// An entry that was taken out, whose slot is still the holder's.
#[derive(Debug)]
#[must_use = "the slot is lost if it is neither put back nor released"]
pub(crate) struct TakenSample {
    chunk: &'static Chunk,
    at: usize,
    addr: usize,
}

impl SampleTable {
    /// `None` without memory.
    pub(crate) fn new(arena: &Arena) -> Option<Self> {
        let heads = if cfg!(loom) { 1 } else { HEADS };
        Some(Self { heads: arena.many(heads)? })
    }

    /// Sees to it that `spare` holds a chunk, so that an insertion cannot fail. False without
    /// memory.
    pub(crate) fn make_room(spare: &Link<Chunk>, arena: &Arena) -> bool {
        if spare.get().is_none() {
            spare.set(arena.one());
        }
        spare.get().is_some()
    }

    /// Enters the block at `addr`, in `spare` if its bucket is full. `spare` is the caller's own.
    pub(crate) fn insert(&self, spare: &Link<Chunk>, addr: usize, sample: Sample) {
        let Some(head) = self.head(addr) else { return };
        let mut newest = head.get();
        if chain(newest).any(|chunk| chunk.add(addr, sample)) {
            return;
        }
        let Some(chunk) = spare.get() else { return };
        spare.set(None);
        chunk.add(addr, sample);
        loop {
            chunk.next.set(newest);
            if head.replace(newest, Some(chunk)) {
                return;
            }
            newest = head.get();
        }
    }

    /// Takes out the entry of the block at `addr`, if it is sampled. The caller must be the one
    /// who may free it.
    pub(crate) fn take_out(&self, addr: usize) -> Option<TakenSample> {
        let taken = chain(self.head(addr)?.get()).find_map(|chunk| {
            let holds = |key: &AtomicU64| key.load(Acquire) == addr as u64;
            let at = chunk.keys.iter().position(holds)?;
            Some(TakenSample { chunk, at, addr })
        })?;
        taken.set_key(CLAIMED);
        Some(taken)
    }

    fn head(&self, addr: usize) -> Option<&Link<Chunk>> {
        // Pages differ in the bits from 12 on; large blocks that are not aligned in those above.
        let mixed = (addr as u64 >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        self.heads.get(mixed as usize & (self.heads.len() - 1))
    }
}

fn chain(newest: Option<&'static Chunk>) -> impl Iterator<Item = &'static Chunk> {
    core::iter::successors(newest, |chunk| chunk.next.get())
}

impl Chunk {
    /// False if the chunk is full.
    fn add(&self, addr: usize, sample: Sample) -> bool {
        let claim = |key: &AtomicU64| {
            key.load(Relaxed) == EMPTY
                && key.compare_exchange(EMPTY, CLAIMED, Acquire, Relaxed).is_ok()
        };
        // A debug build would keep three iterators in step on the caller's stack (rule 11).
        let Some(at) = self.keys.iter().position(claim) else { return false };
        let write = |to: &[AtomicU64; SLOTS], word: u64, order| {
            if let Some(to) = to.get(at) {
                to.store(word, order);
            }
        };
        write(&self.births, sample.birth.to_bits(), Relaxed);
        write(&self.weights, sample.weight, Relaxed);
        write(&self.keys, addr as u64, Release);
        true
    }
}

impl TakenSample {
    /// The block ends, and the slot is free; what was noted of the block.
    pub(crate) fn release(self) -> Sample {
        let sample = self.sample();
        self.set_key(EMPTY);
        sample
    }

    fn sample(&self) -> Sample {
        let read = |of: &[AtomicU64; SLOTS]| of.get(self.at).map_or(0, |word| word.load(Relaxed));
        Sample {
            birth: Birth::from_bits(read(&self.chunk.births)),
            weight: read(&self.chunk.weights),
        }
    }

    /// The block stays after all.
    pub(crate) fn put_back(self) {
        self.set_key(self.addr as u64);
    }

    fn set_key(&self, key: u64) {
        if let Some(to) = self.chunk.keys.get(self.at) {
            // What was read of the entry is read before anybody writes the slot again.
            to.store(key, Release);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::shared::state::CohortKey;
    use crate::shared::trailer::SiteIndex;

    fn sample(n: u32) -> Sample {
        Sample { birth: Birth::new(SiteIndex(n), CohortKey(n + 1)), weight: u64::from(n) << 20 }
    }

    proptest! {
        /// The table against a map: what is entered is found, once, until it is taken out.
        #[test]
        fn it_is_a_map(steps in prop::collection::vec((0..60usize, 0..3u8, any::<u32>()), 1..400)) {
            let (arena, spare) = (Arena::new(), Link::nothing());
            // Two heads, so that chains are long.
            let table = SampleTable { heads: arena.many(2).expect("memory") };
            let mut map = BTreeMap::new();
            for (page, what, n) in steps {
                let (addr, n) = ((page + 1) * 4096, n >> 1);
                let taken = table.take_out(addr);
                prop_assert_eq!(taken.as_ref().map(TakenSample::sample), map.get(&addr).copied());
                match (taken, what) {
                    (None, 0) => {
                        prop_assert!(SampleTable::make_room(&spare, &arena));
                        table.insert(&spare, addr, sample(n));
                        map.insert(addr, sample(n));
                    }
                    (Some(taken), 1) => {
                        taken.release();
                        map.remove(&addr);
                    }
                    (Some(taken), _) => taken.put_back(),
                    (None, _) => {}
                }
            }
        }
    }

    #[test]
    fn slots_are_used_again() {
        let (arena, spare) = (Arena::new(), Link::nothing());
        let table = SampleTable::new(&arena).expect("memory");
        for round in 0..10_000 {
            let addr = (round % 7 + 1) * 4096;
            assert!(SampleTable::make_room(&spare, &arena));
            table.insert(&spare, addr, sample(1));
            table.take_out(addr).expect("it was entered").release();
        }
        let chunks: usize = table.heads.iter().map(|head| chain(head.get()).count()).sum();
        assert!(chunks <= 7, "{chunks} chunks for at most one entry at a time");
    }
}
