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
//! What an entry expects is a variable-length run in a log. A full log is emptied as a whole: the
//! live set comes back within a few misses, and nothing needs to be moved or counted.

#![forbid(unsafe_code)]

pub(crate) mod entry;

use core::{mem, ptr};

use crate::shared::arena::zeroed;
use crate::shared::labels::MAX_TAGS;
use crate::thread::counters::slot::SiteSlot;
use crate::unwind::{Caller, MAX_CHECKS, StackMemory};

/// Entries are found by hash in a set of a few, the latest first: three of 40 bytes fill two cache
/// lines, of which most look-ups read the first.
const WAYS: usize = 3;
/// Sets that a thread begins with: 64 KiB, so that a thread which does little touches little.
const FIRST_SETS: usize = 512;
/// The most sets that a thread gets: entries for 49,152 stacks, three for each run that the log can
/// hold at the usual length.
const MOST_SETS: usize = 1 << 14;
/// Comparisons are made in groups of five words and five distances, which fill a cache line; a run is
/// padded with copies of its last.
const GROUP: usize = 5;
/// Groups in the log, as many as an entry's 16 bits can name: room for 16,000 stacks of 20 frames that
/// have nothing in common. Memory that was never written is not there.
const LOG: usize = u16::MAX as usize - MAX_RUN;
/// Groups in the longest run.
const MAX_RUN: usize = MAX_CHECKS.div_ceil(GROUP);
const WORD_BYTES: u64 = 8;

zeroed! {
    /// The stack cache of one thread.
    #[derive(Debug)]
    pub(crate) struct StackCache {
        sets: [Set; MOST_SETS],
        /// Which bits of a hash name a set: one less than the number of sets in use.
        mask: usize,
        /// Entries of the present version.
        n_entries: usize,
        log: [Group; LOG + MAX_RUN],
        /// End of the log, in groups; a run begins below `LOG`.
        end: usize,
        /// What the walk that is under way has relied on so far.
        relied_on: [Comparison; MAX_CHECKS],
        /// What entries depend on beside the stack: the tag in force (bits 0–11) and the version (12–31).
        /// Entries of an earlier version are void: that is how everything is forgotten at once, without
        /// touching it.
        context: u32,
        /// Where depth is measured from, so that threads that do the same on other stacks use the same
        /// sets, and a block that is handed on does not touch ever more memory.
        base: u64,
        /// [`origin`] of the tag in force.
        origin: u64,
    }
}

zeroed! {
    /// Words and where they stand: so many words above the stack pointer.
    #[derive(Clone, Copy, Debug)]
    #[repr(C, align(64))]
    pub(crate) struct Group {
        words: [u64; GROUP],
        distances: [u32; GROUP],
    }
}

impl Group {
    /// The key of the entry that goes on where the stack above `sp` diverges from these words.
    #[inline(always)]
    fn diverging_key(&self, stack: impl StackMemory, sp: u64) -> Option<EntryKey> {
        self.comparisons().find_map(|(expected, distance)| {
            let word = stack.word(sp + u64::from(distance) * WORD_BYTES);
            (word != *expected).then(|| EntryKey::at_divergence(expected, word))
        })
    }

    /// Words and their distances.
    #[inline(always)]
    fn comparisons(&self) -> impl Iterator<Item = (&u64, u32)> {
        self.words.iter().zip(self.distances)
    }

    /// Expects the first few of these, then the last of them again.
    fn expect(&mut self, comparisons: &[Comparison]) {
        let padding = comparisons.last().into_iter().cycle();
        let to = self.words.iter_mut().zip(&mut self.distances);
        for ((word, distance), from) in to.zip(comparisons.iter().chain(padding)) {
            (*word, *distance) = (from.word, from.distance);
        }
    }
}

/// The first group of a run that has other words than the stack above `sp`.
// Not always, as `lookup::find_slot_fast`.
#[cfg_attr(not(debug_assertions), inline(always))]
#[cfg_attr(debug_assertions, inline)]
fn first_not_held(run: &[Group], stack: impl StackMemory, sp: u64) -> Option<&Group> {
    for group in run {
        for (&expected, distance) in group.words.iter().zip(group.distances) {
            if stack.word(sp + u64::from(distance) * WORD_BYTES) != expected {
                return Some(group);
            }
        }
    }
    None
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
        /// Where the run begins in the log, and its length, in groups.
        start: u16,
        len: u16,
        slot: Option<&'static SiteSlot>,
    }
}

impl Entry {
    fn is_of(&self, version: u32) -> bool {
        self.context >> TAG_BITS == version && self.slot.is_some()
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
    fn at_divergence(expected: &u64, word: u64) -> Self {
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

/// A group of which the stack does not hold all words: its address in the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Divergence(usize);

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
        while let Some((run, _)) = self.entry(key, caller.fp) {
            let Some(group) = first_not_held(run, stack, caller.sp) else { break };
            let Some(next) = group.diverging_key(stack, caller.sp) else { return };
            key = next;
        }
        let (home, context) = (self.set_of(key), self.context);
        for set in [home, self.next_to(home)] {
            let ways = self.sets.get_mut(set).into_iter().flat_map(|set| &mut set.ways);
            let mut entries = ways.filter(|entry| {
                entry.key == key
                    && entry.context == context
                    && (entry.fp == 0 || entry.fp == caller.fp)
            });
            if let Some(entry) = entries.next() {
                entry.slot = Some(slot);
                return;
            }
        }
    }

    /// The same as [`Self::find`], as far as one look-up goes.
    // Not always, as `lookup::find_slot_fast`.
    #[cfg_attr(not(debug_assertions), inline(always))]
    #[cfg_attr(debug_assertions, inline)]
    pub(crate) fn look_up(&self, stack: impl StackMemory, caller: Caller) -> Lookup {
        let key = EntryKey::of(caller);
        let Some((run, slot)) = self.entry_in(self.set_of(key), key, caller.fp) else {
            return Lookup::Miss;
        };
        match first_not_held(run, stack, caller.sp) {
            Some(group) => Lookup::Diverged(Divergence(ptr::from_ref(group).addr())),
            None => Lookup::Hit(slot),
        }
    }

    /// Where a stack counts that diverges here from what [`Self::look_up`] found.
    #[inline]
    pub(crate) fn look_up_diverged(
        &self,
        stack: impl StackMemory,
        caller: Caller,
        divergence: Divergence,
    ) -> Option<&'static SiteSlot> {
        let bytes = divergence.0.checked_sub(ptr::from_ref(&self.log).addr())?;
        let group = self.log.get(bytes / size_of::<Group>())?;
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
        // This ends: a run is younger, so further up in the log, than any that leads to it.
        loop {
            let (run, slot) = self.entry(key, caller.fp)?;
            let Some(group) = first_not_held(run, stack, caller.sp) else { return Some(slot) };
            key = group.diverging_key(stack, caller.sp)?;
        }
    }

    /// The run and the slot of a key, for a caller whose base pointer's register holds `fp`.
    #[inline]
    fn entry(&self, key: EntryKey, fp: u64) -> Option<(&[Group], &'static SiteSlot)> {
        let set = self.set_of(key);
        self.entry_in(set, key, fp).or_else(|| self.entry_in_next(set, key, fp))
    }

    #[cold]
    fn entry_in_next(
        &self,
        set: usize,
        key: EntryKey,
        fp: u64,
    ) -> Option<(&[Group], &'static SiteSlot)> {
        self.entry_in(self.next_to(set), key, fp)
    }

    // Not always, as `lookup::find_slot_fast`.
    #[cfg_attr(not(debug_assertions), inline(always))]
    #[cfg_attr(debug_assertions, inline)]
    fn entry_in(
        &self,
        set: usize,
        key: EntryKey,
        fp: u64,
    ) -> Option<(&[Group], &'static SiteSlot)> {
        let is = |entry: &&Entry| {
            entry.key == key && entry.context == self.context && (entry.fp == 0 || entry.fp == fp)
        };
        let entry = self.sets.get(set)?.ways.iter().find(is)?;
        let (start, len) = (entry.start as usize, entry.len as usize);
        Some((self.log.get(start..start + len)?, entry.slot?))
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

    /// Adds an entry to its set, or to the next one if that is full, or else in the place of the
    /// latest: on the older ones others are more likely to depend, which would be lost with them.
    fn insert(&mut self, entry: Entry) {
        if self.room_in(self.set_of(entry.key)).is_none() && 2 * self.n_entries > self.mask {
            self.split_sets();
        }
        let home = self.set_of(entry.key);
        let mut nearby = [home, self.next_to(home)].into_iter();
        let room = nearby.find_map(|set| Some((set, self.room_in(set)?)));
        self.n_entries += usize::from(room.is_some());
        let (set, way) = room.unwrap_or((home, 0));
        let Some(Set { ways }) = self.sets.get_mut(set) else { return };
        if let Some(up_to) = ways.get_mut(..=way) {
            up_to.rotate_right(1);
        }
        let [first, ..] = ways;
        *first = entry;
    }

    /// The first way of a set that holds no entry of the present version.
    fn room_in(&self, set: usize) -> Option<usize> {
        let version = self.context >> TAG_BITS;
        self.sets.get(set)?.ways.iter().position(|entry| !entry.is_of(version))
    }

    /// Doubles the number of sets, if there may be more: what is in each goes on to two.
    fn split_sets(&mut self) {
        let (base, version, n_sets) = (self.base, self.context >> TAG_BITS, self.mask + 1);
        let Some((lower, upper)) = self.sets.split_at_mut_checked(n_sets) else { return };
        let pairs = lower
            .iter_mut()
            .zip(upper)
            .flat_map(|(from, to)| from.ways.iter_mut().zip(&mut to.ways));
        for (from, to) in pairs {
            if from.is_of(version) && from.key.hash(origin(base, from.context)) & n_sets != 0 {
                mem::swap(from, to);
            }
        }
        self.mask = (2 * n_sets).min(MOST_SETS) - 1;
    }

    /// Forgets everything: the log is full, code was unloaded, or another thread takes over.
    pub(crate) fn clear(&mut self) {
        let next = self.context.checked_add(1 << TAG_BITS);
        if next.is_none() {
            // After a million versions their numbers begin again: now the entries must really go. There
            // are none in sets that were never in use.
            let sets = self.sets.get_mut(..=self.mask).unwrap_or_default();
            for entry in sets.iter_mut().flat_map(|set| &mut set.ways) {
                (entry.key.place, entry.slot) = (0, None);
            }
        }
        self.context = next.unwrap_or(self.tag());
        (self.end, self.n_entries) = (0, 0);
    }

    /// Forgets everything for another thread, whose stack is near `base` now.
    pub(crate) fn reset_for_thread(&mut self, base: u64) {
        self.clear();
        self.mask = self.mask.max(FIRST_SETS - 1);
        self.base = base;
        self.set_tag(0);
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
