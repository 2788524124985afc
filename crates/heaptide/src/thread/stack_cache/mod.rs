//! The stack cache: stacks that a thread has unwound before, recognised without unwinding.
//!
//! The same call path allocates again and again with the same *shape*: the same stack pointer, the
//! same return address, and at fixed distances above it the same chain of return addresses. An
//! entry lists, innermost frame first, where on the stack the unwinder looked and what it found
//! there. If the same words stand at the same places, the stack is the same (the argument is in
//! `docs/SAFETY.md`, "Why a match is exact"); at the first difference the comparison ends, so no
//! word is read whose frame has not been shown to be there.
//!
//! Many stacks begin with the same call in the same place. Where one diverges from another that is in
//! the cache, its entry goes on from there: it is found by the comparison that fails and the word
//! that stands there instead, and lists the rest. So each way on is one look-up, however many there
//! are, and what stacks have in common is compared and kept once.
//!
//! What an entry expects is a variable-length run in a log. Sets and log are made of small chunks, which are
//! added as stacks are met, within the budget of detail. When the log may not grow any more, what is known
//! stays, and nothing new is learnt until several times as many stacks were missed as are known: then the
//! program does something else, and everything is forgotten.

#![forbid(unsafe_code)]

pub(crate) mod entry;
pub(crate) mod storage;

use core::cell::Cell;
use core::{mem, ptr};

use crate::shared::arena::zeroed;
use crate::shared::labels::MAX_TAGS;
use crate::thread::counters::slot::SiteSlot;
use crate::unwind::{Caller, MAX_CHECKS, StackMemory};

/// Entries are found by hash in a set of a few, the latest first: three of 40 bytes fill two cache
/// lines, of which most look-ups read the first.
const WAYS: usize = 3;
/// Sixteen kilobytes of sets.
const SETS_PER_CHUNK: usize = 128;
type SetChunk = [Set; SETS_PER_CHUNK];
/// Four megabytes of sets: entries for 98,304 stacks.
const MAX_SET_CHUNKS: usize = 256;
const MOST_SETS: usize = MAX_SET_CHUNKS * SETS_PER_CHUNK;
/// Comparisons are made in groups of five words and five distances, which fill a cache line; a run is
/// padded with copies of its last.
const GROUP: usize = 5;
/// Sixteen kilobytes of log: as many groups as eight bits can name.
const GROUPS_PER_CHUNK: usize = 256;
type LogChunk = [Group; GROUPS_PER_CHUNK];
/// Sixteen megabytes of log.
const MAX_LOG_CHUNKS: usize = 1024;

/// The longest run fits into a chunk, and its length into eight bits.
const _: () = assert!(MAX_CHECKS.div_ceil(GROUP) < GROUPS_PER_CHUNK);
/// A set has its neighbour in the same chunk.
const _: () = assert!(SETS_PER_CHUNK.is_multiple_of(2));
const WORD_BYTES: u64 = 8;

zeroed! {
    /// The stack cache of one thread.
    ///
    /// In this order, so that what every look-up reads is together, with the first sets.
    #[derive(Debug)]
    #[repr(C)]
    pub(crate) struct StackCache {
        /// Which bits of a hash name a set: one less than the number of sets in use.
        mask: usize,
        /// [`origin`] of the tag in force.
        origin: u64,
        /// What entries depend on beside the stack: the tag in force (bits 0–11) and the version (12–31).
        /// Entries of an earlier version are void: that is how everything is forgotten at once, without
        /// touching it.
        context: u32,
        sets: [Option<&'static mut SetChunk>; MAX_SET_CHUNKS],
        log: [Option<&'static LogChunk>; MAX_LOG_CHUNKS],
        /// Entries of the present version.
        n_entries: usize,
        /// Chunks that the log has.
        n_log_chunks: usize,
        /// The chunk that is being filled, and how many of its groups are.
        log_chunk: usize,
        n_groups: usize,
        /// Stacks that were not learnt since the log is full.
        n_passed_by: usize,
        /// What the walk that is under way has relied on so far.
        relied_on: [Comparison; MAX_CHECKS],
        /// Where depth is measured from, so that threads that do the same on other stacks use the same
        /// sets, and a block that is handed on does not touch ever more memory.
        base: u64,
    }
}

zeroed! {
    /// Words and where they stand: so many words above the stack pointer. In cells, so that a look-up can
    /// return a reference to one beside the thread's block, which makes it shorter than an index would.
    #[derive(Debug)]
    #[repr(C, align(64))]
    pub(crate) struct Group {
        words: [Cell<u64>; GROUP],
        distances: [Cell<u32>; GROUP],
    }
}

impl Group {
    /// The key of the entry that goes on where the stack above `sp` diverges from these words.
    #[inline(always)]
    fn diverging_key(&self, stack: impl StackMemory, sp: u64) -> Option<EntryKey> {
        self.comparisons().find_map(|(expected, distance)| {
            let word = stack.word(sp + u64::from(distance) * WORD_BYTES);
            (word != expected.get()).then(|| EntryKey::at_divergence(expected, word))
        })
    }

    /// Words and their distances.
    #[inline(always)]
    fn comparisons(&self) -> impl Iterator<Item = (&Cell<u64>, u32)> {
        self.words.iter().zip(self.distances.iter().map(Cell::get))
    }

    /// Expects the first few of these, then the last of them again.
    fn expect(&self, comparisons: &[Comparison]) {
        let padding = comparisons.last().into_iter().cycle();
        let to = self.words.iter().zip(&self.distances);
        for ((word, distance), from) in to.zip(comparisons.iter().chain(padding)) {
            word.set(from.word);
            distance.set(from.distance);
        }
    }
}

/// The first group of a run that has other words than the stack above `sp`.
// Not always, as `lookup::find_slot_fast`.
#[cfg_attr(not(debug_assertions), inline(always))]
#[cfg_attr(debug_assertions, inline)]
fn first_not_held(
    run: &'static [Group],
    stack: impl StackMemory,
    sp: u64,
) -> Option<&'static Group> {
    run.iter().find(|group| {
        group.comparisons().any(|(expected, distance)| {
            stack.word(sp + u64::from(distance) * WORD_BYTES) != expected.get()
        })
    })
}

zeroed! {
    /// A word, and where it stands: so many words above the stack pointer.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Comparison {
        word: u64,
        distance: u32,
    }
}

zeroed! {
    /// Entries of one hash. Two cache lines, of which most look-ups read the first.
    #[derive(Debug)]
    #[repr(C, align(64))]
    pub(crate) struct Set {
        ways: [Entry; WAYS],
    }
}

zeroed! {
    /// One stack, or the rest of one. Zeroed, it is that of no key.
    #[derive(Debug)]
    #[repr(C)]
    pub(crate) struct Entry {
        key: EntryKey,
        /// What the base pointer's register must hold; 0 if that does not matter.
        fp: u64,
        context: u32,
        /// Where the run is: the chunk of the log, and in it the first group and their number.
        chunk: u16,
        start: u8,
        len: u8,
        slot: Option<&'static SiteSlot>,
    }
}

impl Entry {
    fn is_of(&self, version: u32) -> bool {
        self.context >> TAG_BITS == version && self.slot.is_some()
    }

    /// Whether it is that of a key, for a caller whose base pointer's register holds `fp`.
    #[inline(always)]
    fn is_for(&self, key: EntryKey, context: u32, fp: u64) -> bool {
        self.key == key && self.context == context && (self.fp == 0 || self.fp == fp)
    }
}

/// `base`, moved by the tag of a context, so that tags use different sets.
fn origin(base: u64, context: u32) -> u64 {
    base.wrapping_add(u64::from(context & TAG_MASK) << 7)
}

zeroed! {
    /// What an entry is found by: a place, and the word that stands there.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct EntryKey {
        place: u64,
        word: u64,
    }
}

impl EntryKey {
    /// A stack from its innermost call on.
    #[inline(always)]
    fn of(caller: Caller) -> Self {
        Self { place: caller.sp, word: caller.ra }
    }

    /// A hash, of as many bits as name a set: by place, relative to the stack, and by word.
    #[inline(always)]
    fn hash(self, origin: u64) -> usize {
        let depth = origin.wrapping_sub(self.place) as u32;
        // Multiplicative hashing: the upper bits depend on all below. The constants are 2^32 divided
        // by the golden ratio, and by its square.
        let mixed = (self.word as u32).wrapping_mul(0x61c8_864f).wrapping_add(depth);
        (mixed.wrapping_mul(0x9e37_79b1) >> (32 - MOST_SETS.ilog2())) as usize
    }

    /// The rest of a stack that holds `word` where this word of the log is expected. The log is
    /// nobody's stack, so its places are no stack pointers.
    #[inline(always)]
    fn at_divergence(expected: &Cell<u64>, word: u64) -> Self {
        Self { place: ptr::from_ref(expected).addr() as u64, word }
    }
}

/// What the stack cache knows of a stack without following it further than one run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lookup {
    /// It counts here.
    Hit(&'static SiteSlot),
    /// It begins like one that is remembered; the rest may be.
    Diverged(Divergence),
    /// It is not remembered.
    Miss,
}

/// A group of which the stack does not hold all words. Nobody may look at it who does not hold the thread's
/// block since the look-up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Divergence(&'static Group);

const TAG_BITS: u32 = 12;
const TAG_MASK: u32 = (1 << TAG_BITS) - 1;
const _: () = assert!(MAX_TAGS <= TAG_MASK as usize);

impl StackCache {
    /// The tag in force; 0 is none.
    pub(crate) fn tag(&self) -> u32 {
        self.context & TAG_MASK
    }

    pub(crate) fn set_tag(&mut self, tag: u32) {
        self.context = self.context & !TAG_MASK | tag & TAG_MASK;
        self.origin = origin(self.base, self.context);
    }

    /// Where a stack counts, if it is remembered.
    pub(crate) fn find(
        &self,
        stack: impl StackMemory,
        caller: Caller,
    ) -> Option<&'static SiteSlot> {
        self.follow(stack, caller, EntryKey::of(caller))
    }

    /// Has a stack that is remembered count at `slot` from now on.
    pub(crate) fn redirect(
        &mut self,
        stack: impl StackMemory,
        caller: Caller,
        slot: &'static SiteSlot,
    ) {
        let mut key = EntryKey::of(caller);
        while let Some((run, _)) = self.entry(key, caller.fp).and_then(|entry| self.known(entry)) {
            let Some(group) = first_not_held(run, stack, caller.sp) else { break };
            let Some(next) = group.diverging_key(stack, caller.sp) else { return };
            key = next;
        }
        let context = self.context;
        let Some((home, next)) = self.set_and_next(self.set_of(key)) else { return };
        let mut ways = home.ways.iter_mut().chain(&mut next.ways);
        if let Some(entry) = ways.find(|entry| entry.is_for(key, context, caller.fp)) {
            entry.slot = Some(slot);
        }
    }

    /// Has the next [`Self::look_up`] find what [`Self::find`] found, where that stands in the next set: the
    /// oldest entry of the stack's own set changes places with it.
    ///
    /// A full set holds what was met first. Without this a stack that comes for ever would be looked for
    /// the slow way for ever, on account of three that came once.
    pub(crate) fn bring_home(&mut self, caller: Caller) {
        let (key, context) = (EntryKey::of(caller), self.context);
        let home = self.set_of(key);
        if self.entry_in(home, key, caller.fp).is_some() {
            return;
        }
        let Some((home, next)) = self.set_and_next(home) else { return };
        let away = next.ways.iter_mut().find(|entry| entry.is_for(key, context, caller.fp));
        if let (Some(away), [.., oldest]) = (away, &mut home.ways) {
            mem::swap(away, oldest);
        }
    }

    /// The same as [`Self::find`], as far as one look-up goes.
    // Not always, as `lookup::find_slot_fast`.
    #[cfg_attr(not(debug_assertions), inline(always))]
    #[cfg_attr(debug_assertions, inline)]
    pub(crate) fn look_up(&self, stack: impl StackMemory, caller: Caller) -> Lookup {
        let key = EntryKey::of(caller);
        let entry = self.entry_in(self.set_of(key), key, caller.fp);
        let Some((run, slot)) = entry.and_then(|entry| self.known(entry)) else {
            return Lookup::Miss;
        };
        match first_not_held(run, stack, caller.sp) {
            Some(group) => Lookup::Diverged(Divergence(group)),
            None => Lookup::Hit(slot),
        }
    }

    /// Where a stack counts that diverges here from what [`Self::look_up`] found.
    #[inline]
    pub(crate) fn look_up_diverged(
        &self,
        stack: impl StackMemory,
        caller: Caller,
        Divergence(group): Divergence,
    ) -> Option<&'static SiteSlot> {
        self.follow(stack, caller, group.diverging_key(stack, caller.sp)?)
    }

    /// Where a stack counts, if what is left of it is remembered under `key`.
    #[inline]
    fn follow(
        &self,
        stack: impl StackMemory,
        caller: Caller,
        mut key: EntryKey,
    ) -> Option<&'static SiteSlot> {
        // This ends: a run is younger than any that leads to it.
        loop {
            let (run, slot) = self.known(self.entry(key, caller.fp)?)?;
            let Some(group) = first_not_held(run, stack, caller.sp) else { return Some(slot) };
            key = group.diverging_key(stack, caller.sp)?;
        }
    }

    /// The entry of a key, for a caller whose base pointer's register holds `fp`.
    #[inline]
    fn entry(&self, key: EntryKey, fp: u64) -> Option<&Entry> {
        let set = self.set_of(key);
        self.entry_in(set, key, fp).or_else(|| self.entry_in_next(set, key, fp))
    }

    #[cold]
    fn entry_in_next(&self, set: usize, key: EntryKey, fp: u64) -> Option<&Entry> {
        self.entry_in(self.next_to(set), key, fp)
    }

    // Not always, as `lookup::find_slot_fast`.
    #[cfg_attr(not(debug_assertions), inline(always))]
    #[cfg_attr(debug_assertions, inline)]
    fn entry_in(&self, set: usize, key: EntryKey, fp: u64) -> Option<&Entry> {
        self.set(set)?.ways.iter().find(|entry| entry.is_for(key, self.context, fp))
    }

    /// What an entry expects of the stack, and where that stack counts.
    #[inline(always)]
    fn known(&self, entry: &Entry) -> Option<(&'static [Group], &'static SiteSlot)> {
        let chunk: &LogChunk = (*self.log.get(usize::from(entry.chunk))?)?;
        let (start, len) = (usize::from(entry.start), usize::from(entry.len));
        Some((chunk.get(start..start + len)?, entry.slot?))
    }

    #[inline(always)]
    fn set(&self, set: usize) -> Option<&Set> {
        self.sets.get(set / SETS_PER_CHUNK)?.as_deref()?.get(set % SETS_PER_CHUNK)
    }

    /// The set that takes what finds no room in this one.
    fn next_to(&self, set: usize) -> usize {
        (set ^ 1) & self.mask
    }

    /// Which set an entry of the tag in force belongs to.
    #[inline(always)]
    fn set_of(&self, key: EntryKey) -> usize {
        key.hash(self.origin) & self.mask
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
