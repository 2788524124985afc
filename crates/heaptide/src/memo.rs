//! The memo: stacks that a thread has unwound before, recognised without unwinding.
//!
//! The same call path allocates again and again with the same *shape*: the same stack pointer, the
//! same return address, and at fixed distances above it the same chain of return addresses. An
//! entry lists, innermost frame first, where on the stack the unwinder looked and what it found
//! there. If the same words stand at the same places, the stack is the same (the argument is in
//! `docs/SAFETY.md`, "Why a match is exact"); at the first difference the comparison ends, so no
//! word is read whose frame has not been shown to be there.
//!
//! What an entry expects is a variable-length run in a log. A full log is emptied as a whole: the
//! live set comes back within a few misses, and nothing needs to be moved or counted.

#![forbid(unsafe_code)]

use core::mem;

use crate::counters::SiteSlot;
use crate::labels::MAX_TAGS;
use crate::unwind::{Caller, MAX_CHECKS, StackMemory};

/// Entries are found by hash in a set of a few, the latest first.
const SETS: usize = 2048;
const WAYS: usize = 4;
/// Comparisons are made in groups that fill a cache line; a run is padded with copies of its last.
const GROUP: usize = 5;
/// Groups in the log: room for as many stacks of 20 frames as there are entries. Memory that was
/// never written is not there.
const LOG: usize = 1 << 15;
/// Groups in the longest run.
const MAX_RUN: usize = MAX_CHECKS.div_ceil(GROUP);
const WORD_BYTES: u64 = 8;

/// The memo of one thread.
#[derive(Debug)]
pub(crate) struct Memo {
    sets: [[Entry; WAYS]; SETS],
    log: [Group; LOG + MAX_RUN],
    /// End of the committed log, in groups; a run begins below `LOG`.
    end: usize,
    /// What entries depend on beside the stack: the tag in force (bits 0–11) and the era (12–31).
    /// Entries of an earlier era are void: that is how everything is forgotten at once, without
    /// touching it.
    context: u32,
    /// Where depth is measured from, so that threads that do the same on other stacks use the same
    /// sets, and a block that is handed on does not touch ever more memory.
    base: u64,
    /// `base`, moved by the tag in force, so that tags use different sets.
    origin: u64,
}

/// Words and where they stand: so many words above the stack pointer.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Group {
    words: [u64; GROUP],
    distances: [u32; GROUP],
}

impl Group {
    fn put(&mut self, at: usize, word: u64, distance: u32) {
        if let (Some(to), Some(to_distance)) = (self.words.get_mut(at), self.distances.get_mut(at))
        {
            *to = word;
            *to_distance = distance;
        }
    }

    /// Makes the rest of the group copies of the one before `at`.
    fn pad(&mut self, at: usize) {
        if let Some(last) = at.checked_sub(1) {
            let (word, distance) = (self.words[last], self.distances[last]);
            (at..GROUP).for_each(|at| self.put(at, word, distance));
        }
    }
}

/// One remembered stack. Zeroed, it is that of no caller.
#[derive(Debug)]
#[repr(C)]
struct Entry {
    sp: u64,
    ra: u64,
    /// What the base pointer's register must hold; 0 if that does not matter.
    fp: u64,
    context: u32,
    /// Where the run begins in the log, and its length, in groups.
    start: u16,
    len: u16,
    slot: Option<&'static SiteSlot>,
}

const TAG_BITS: u32 = 12;
const TAG_MASK: u32 = (1 << TAG_BITS) - 1;
const _: () = assert!(MAX_TAGS <= TAG_MASK as usize);
const _: () = assert!(LOG + MAX_RUN <= u16::MAX as usize);

/// A run under construction: comparisons are appended while the unwinder walks.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    memo: &'a mut Memo,
    caller: Caller,
    /// Comparisons so far.
    len: usize,
    /// The base pointer's register value that the walk relied on; 0 if none.
    fp: u64,
    /// Cleared when something cannot be expressed: too far away, too long, not repeatable.
    pub(crate) usable: bool,
}

impl Memo {
    /// The tag in force; 0 is none.
    pub(crate) fn tag(&self) -> u32 {
        self.context & TAG_MASK
    }

    pub(crate) fn set_tag(&mut self, tag: u32) {
        self.context = self.context & !TAG_MASK | tag & TAG_MASK;
        self.origin = self.base.wrapping_add(u64::from(self.tag()) << 7);
    }

    /// Where a stack counts, if it is remembered.
    #[inline(always)]
    pub(crate) fn find_in_place(
        &self,
        stack: impl StackMemory,
        caller: Caller,
    ) -> Option<&'static SiteSlot> {
        for entry in &self.sets[self.set_of(caller)] {
            if self.is(entry, caller) && self.holds(stack, caller.sp, entry) {
                return entry.slot;
            }
        }
        None
    }

    /// The same, and brings what it finds to the front of its set.
    pub(crate) fn find(
        &mut self,
        stack: impl StackMemory,
        caller: Caller,
    ) -> Option<&'static SiteSlot> {
        let set = self.set_of(caller);
        let at = self.sets[set]
            .iter()
            .position(|entry| self.is(entry, caller) && self.holds(stack, caller.sp, entry))?;
        self.sets[set].get_mut(..=at)?.rotate_right(1);
        let [first, ..] = &self.sets[set];
        first.slot
    }

    /// Which set a stack belongs to: by depth and by place of the innermost call.
    #[inline(always)]
    fn set_of(&self, caller: Caller) -> usize {
        let depth = self.origin.wrapping_sub(caller.sp) as u32;
        // Multiplicative hashing: the upper bits depend on all below. The constant is 2^32 divided
        // by the golden ratio.
        let mixed = depth.wrapping_add((caller.ra as u32) << 3).wrapping_mul(0x9e37_79b1);
        (mixed >> (32 - SETS.ilog2())) as usize
    }

    #[inline(always)]
    fn is(&self, entry: &Entry, caller: Caller) -> bool {
        entry.sp == caller.sp
            && entry.ra == caller.ra
            && entry.context == self.context
            && (entry.fp == 0 || entry.fp == caller.fp)
    }

    /// Whether the stack above `sp` holds the words that `entry` expects.
    #[inline(always)]
    fn holds(&self, stack: impl StackMemory, sp: u64, entry: &Entry) -> bool {
        let (start, len) = (entry.start as usize, entry.len as usize);
        let Some(run) = self.log.get(start..start + len) else { return false };
        for group in run {
            for (&word, distance) in group.words.iter().zip(group.distances) {
                if stack.word(sp + u64::from(distance) * WORD_BYTES) != word {
                    return false;
                }
            }
        }
        true
    }

    /// Starts an entry for the stack of `caller`.
    pub(crate) fn draft(&mut self, caller: Caller) -> Draft<'_> {
        if self.end >= LOG {
            self.clear();
        }
        Draft { memo: self, caller, len: 0, fp: 0, usable: true }
    }

    /// Forgets everything: the log is full, code was unloaded, or another thread takes over.
    pub(crate) fn clear(&mut self) {
        let next = self.context.checked_add(1 << TAG_BITS);
        if next.is_none() {
            // After a million eras their numbers begin again: now the entries must really go.
            for entry in self.sets.as_flattened_mut() {
                entry.sp = 0;
            }
        }
        self.context = next.unwrap_or(self.tag());
        self.end = 0;
    }

    /// Makes ready for another thread, whose stack is near `base` now.
    pub(crate) fn hand_over(&mut self, base: u64) {
        self.clear();
        self.base = base;
        self.set_tag(0);
    }
}

impl Draft<'_> {
    /// The walk read `word` at address `at` and relied on it.
    pub(crate) fn rely_on_stack(&mut self, at: u64, word: u64) {
        let distance = at.checked_sub(self.caller.sp).filter(|bytes| bytes % WORD_BYTES == 0);
        let distance = distance.and_then(|bytes| u32::try_from(bytes / WORD_BYTES).ok());
        match (distance, self.memo.log.get_mut(self.memo.end + self.len / GROUP)) {
            (Some(distance), Some(group)) => {
                group.put(self.len % GROUP, word, distance);
                self.len += 1;
            }
            _ => self.usable = false,
        }
    }

    /// The walk relied on the base pointer's register holding `fp` at the call.
    pub(crate) fn rely_on_register(&mut self, fp: u64) {
        self.fp = fp;
        // 0 stands for "does not matter".
        self.usable &= fp != 0;
    }

    /// Makes the entry findable: its stack counts at `slot`.
    pub(crate) fn commit(self, slot: &'static SiteSlot) {
        let Self { memo, caller, len, fp, usable } = self;
        let padding_at = len % GROUP;
        let len = len.div_ceil(GROUP);
        if !usable || len == 0 || len > MAX_RUN {
            return;
        }
        if let Some(last) = memo.log.get_mut(memo.end + len - 1) {
            last.pad(padding_at);
        }
        let entry = Entry {
            sp: caller.sp,
            ra: caller.ra,
            fp,
            context: memo.context,
            start: memo.end as u16,
            len: len as u16,
            slot: Some(slot),
        };
        memo.end += len;
        let set = memo.set_of(caller);
        memo.sets[set].rotate_right(1);
        let [first, ..] = &mut memo.sets[set];
        drop(mem::replace(first, entry));
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
