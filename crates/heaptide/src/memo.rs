//! The memo: stacks that a thread has unwound before, recognised without unwinding.
//!
//! The same call path allocates again and again with the same *shape*: the same stack pointer, the
//! same return address, and at fixed distances above it the same chain of return addresses. An
//! entry lists, innermost frame first, where on the stack the unwinder looked and what it found
//! there. If the same words stand at the same places, the stack is the same (the argument is in
//! `docs/SAFETY.md`, "Why a match is exact"); at the first difference the comparison ends, so no
//! word is read whose frame has not been shown to be there.
//!
//! What an entry expects is a variable-length run in two parallel logs, one of words and one of
//! distances. A full log is emptied as a whole: the live set comes back within a few misses, and
//! nothing needs to be moved or counted.

#![forbid(unsafe_code)]

use crate::arena::Link;
use crate::counters::SiteSlot;
use crate::labels::MAX_TAGS;
use crate::record::SiteIndex;
use crate::sync::Ordering::Relaxed;
use crate::sync::{AtomicU32, AtomicU64};
use crate::unwind::{Caller, MAX_CHECKS, StackMemory};

/// Entries are found by hash in a set of a few, the latest first.
const SETS: usize = 512;
const WAYS: usize = 4;
/// Comparisons are made in groups of this size; a run is padded with copies of its last one.
const GROUP: usize = 4;
/// Groups in the logs: room for some 1,500 stacks of 20 frames.
const LOG: usize = 1 << 13;
const WORD_BYTES: u64 = 8;

/// The memo of one thread. Only the owner reads or writes it.
#[derive(Debug)]
pub(crate) struct Memo {
    sets: [[Entry; WAYS]; SETS],
    words: [[AtomicU64; GROUP]; LOG],
    distances: [[AtomicU32; GROUP]; LOG],
    /// End of the committed log, in groups.
    end: AtomicU32,
    /// Tag and era, as they stand in a [`Context`]. Entries of an earlier era are void: that is how
    /// everything is forgotten at once, without touching it.
    tag_and_era: AtomicU32,
    /// Depth is measured from here, so that threads that do the same on other stacks use the same
    /// sets, and a block that is handed on does not touch ever more memory.
    base: AtomicU64,
}

/// One remembered stack. Zeroed, it is that of no caller.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Entry {
    ra: AtomicU64,
    sp: AtomicU64,
    context: AtomicU64,
    /// What the base pointer's register must hold; 0 if that does not matter.
    fp: AtomicU64,
    /// Where the run begins in the logs, and its length, in groups.
    start: AtomicU32,
    len: AtomicU32,
    site: AtomicU32,
    slot: Link<SiteSlot>,
}

/// What an entry depends on beside the stack: the tag in force (bits 0–11), the memo's era (12–31),
/// and that no module was unloaded since (32–63): an address may mean something else then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Context(u64);

const TAG_BITS: u32 = 12;
const _: () = assert!(MAX_TAGS < 1 << TAG_BITS);

impl Context {
    pub(crate) fn tag(self) -> u32 {
        self.0 as u32 & ((1 << TAG_BITS) - 1)
    }

    pub(crate) fn unloads(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// Where a block is counted: its site, and the calling thread's slot for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) site: SiteIndex,
    pub(crate) slot: &'static SiteSlot,
}

/// A run under construction: comparisons are appended while the unwinder walks.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    memo: &'a Memo,
    /// First group of the run.
    start: usize,
    /// Comparisons so far.
    len: usize,
    sp: u64,
    /// The base pointer's register value that the walk relied on; 0 if none.
    fp: u64,
    /// Cleared when something cannot be expressed: too far away, too long, not repeatable.
    pub(crate) usable: bool,
}

impl Memo {
    /// What entries made now depend on, when so many modules were unloaded.
    #[inline(always)]
    pub(crate) fn context(&self, unloads: u32) -> Context {
        Context(u64::from(unloads) << 32 | u64::from(self.tag_and_era.load(Relaxed)))
    }

    /// The tag in force; 0 is none.
    pub(crate) fn tag(&self) -> u32 {
        self.context(0).tag()
    }

    pub(crate) fn set_tag(&self, tag: u32) {
        let mask = (1 << TAG_BITS) - 1;
        let era = self.tag_and_era.load(Relaxed) & !mask;
        self.tag_and_era.store(era | tag & mask, Relaxed);
    }

    /// Where a stack counts, if it is the last that was seen of its set.
    #[inline(always)]
    pub(crate) fn find_first(
        &self,
        stack: impl StackMemory,
        caller: Caller,
        context: Context,
    ) -> Option<Place> {
        let [latest, ..] = &self.sets[self.set_of(caller, context)];
        let found = latest.is(caller, context) && self.holds(stack, caller.sp, latest);
        if found { latest.place() } else { None }
    }

    /// Looks at the rest of a set, and brings what it finds to the front.
    pub(crate) fn find_behind(
        &self,
        stack: impl StackMemory,
        caller: Caller,
        context: Context,
    ) -> Option<Place> {
        let set = &self.sets[self.set_of(caller, context)];
        let at = set
            .iter()
            .skip(1)
            .position(|entry| entry.is(caller, context) && self.holds(stack, caller.sp, entry))?;
        let place = set.get(at + 1)?.place();
        for pair in set.windows(2).take(at + 1).rev() {
            if let [before, behind] = pair {
                before.swap(behind);
            }
        }
        place
    }

    /// Which set a stack belongs to: by depth and by place of the innermost call.
    #[inline(always)]
    fn set_of(&self, caller: Caller, context: Context) -> usize {
        let depth = self.base.load(Relaxed).wrapping_sub(caller.sp);
        // Not the era: what a block's next owner remembers goes where its last owner's was.
        let tag = u64::from(context.tag()) << 7;
        let mixed = (depth ^ caller.ra.rotate_left(17) ^ tag).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> (64 - SETS.ilog2())) as usize
    }

    /// Whether the stack above `sp` holds the words that `entry` expects.
    #[inline]
    fn holds(&self, stack: impl StackMemory, sp: u64, entry: &Entry) -> bool {
        let start = entry.start.load(Relaxed) as usize;
        let end = start + entry.len.load(Relaxed) as usize;
        let (Some(words), Some(distances)) =
            (self.words.get(start..end), self.distances.get(start..end))
        else {
            return false;
        };
        words.iter().zip(distances).all(|(words, distances)| {
            words.iter().zip(distances).all(|(word, distance)| {
                let at = sp + u64::from(distance.load(Relaxed)) * WORD_BYTES;
                stack.word(at) == word.load(Relaxed)
            })
        })
    }

    /// Starts an entry for the stack of `caller`.
    pub(crate) fn draft(&self, caller: Caller) -> Draft<'_> {
        if self.end.load(Relaxed) as usize + MAX_CHECKS / GROUP > LOG {
            self.clear();
        }
        let start = self.end.load(Relaxed) as usize;
        Draft { memo: self, start, len: 0, sp: caller.sp, fp: 0, usable: true }
    }

    /// Forgets everything: the log is full, or another thread takes over.
    fn clear(&self) {
        let next = self.tag_and_era.load(Relaxed).checked_add(1 << TAG_BITS);
        if next.is_none() {
            // After a million eras their numbers begin again: now the entries must really go.
            for entry in self.sets.as_flattened() {
                entry.sp.store(0, Relaxed);
            }
        }
        self.tag_and_era.store(next.unwrap_or(self.tag()), Relaxed);
        self.end.store(0, Relaxed);
    }

    /// Makes ready for another thread, whose stack is near `base` now.
    pub(crate) fn hand_over(&self, base: u64) {
        self.clear();
        self.set_tag(0);
        self.base.store(base, Relaxed);
    }

    /// Makes the drafted entry findable.
    pub(crate) fn commit(&self, draft: Draft<'_>, caller: Caller, unloads: u32, place: Place) {
        let (start, fp) = (draft.start, draft.fp);
        let Some(len) = draft.finish() else { return };
        let context = self.context(unloads);
        let set = &self.sets[self.set_of(caller, context)];
        for pair in set.windows(2).rev() {
            if let [before, behind] = pair {
                before.swap(behind);
            }
        }
        let [first, ..] = set;
        first.ra.store(caller.ra, Relaxed);
        first.sp.store(caller.sp, Relaxed);
        first.context.store(context.0, Relaxed);
        first.fp.store(fp, Relaxed);
        first.start.store(start as u32, Relaxed);
        first.len.store(len as u32, Relaxed);
        first.site.store(place.site.0, Relaxed);
        first.slot.set(Some(place.slot));
        self.end.store((start + len) as u32, Relaxed);
    }
}

impl Entry {
    #[inline(always)]
    fn is(&self, caller: Caller, context: Context) -> bool {
        let fp = self.fp.load(Relaxed);
        self.sp.load(Relaxed) == caller.sp
            && self.ra.load(Relaxed) == caller.ra
            && self.context.load(Relaxed) == context.0
            && (fp == 0 || fp == caller.fp)
    }

    #[inline(always)]
    fn place(&self) -> Option<Place> {
        Some(Place { site: SiteIndex(self.site.load(Relaxed)), slot: self.slot.get()? })
    }

    fn swap(&self, other: &Self) {
        for (a, b) in [
            (&self.ra, &other.ra),
            (&self.sp, &other.sp),
            (&self.context, &other.context),
            (&self.fp, &other.fp),
        ] {
            let kept = a.load(Relaxed);
            a.store(b.load(Relaxed), Relaxed);
            b.store(kept, Relaxed);
        }
        for (a, b) in
            [(&self.start, &other.start), (&self.len, &other.len), (&self.site, &other.site)]
        {
            let kept = a.load(Relaxed);
            a.store(b.load(Relaxed), Relaxed);
            b.store(kept, Relaxed);
        }
        let kept = self.slot.get();
        self.slot.set(other.slot.get());
        other.slot.set(kept);
    }
}

impl Draft<'_> {
    /// The walk read `word` at address `at` and relied on it.
    pub(crate) fn rely_on_stack(&mut self, at: u64, word: u64) {
        let distance = at.checked_sub(self.sp).filter(|bytes| bytes % WORD_BYTES == 0);
        let distance = distance.and_then(|bytes| u32::try_from(bytes / WORD_BYTES).ok());
        let (group, within) = (self.start + self.len / GROUP, self.len % GROUP);
        let to = self.memo.words.get(group).and_then(|group| group.get(within));
        let to_distance = self.memo.distances.get(group).and_then(|group| group.get(within));
        match (distance, to, to_distance) {
            (Some(distance), Some(to), Some(to_distance)) => {
                to.store(word, Relaxed);
                to_distance.store(distance, Relaxed);
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

    /// Repeats the last comparison until the last group is full; the length in groups.
    fn finish(mut self) -> Option<usize> {
        let last = self.len.checked_sub(1)?;
        let (group, within) = (self.start + last / GROUP, last % GROUP);
        let word = self.memo.words.get(group)?.get(within)?.load(Relaxed);
        let distance = self.memo.distances.get(group)?.get(within)?.load(Relaxed);
        while self.usable && !self.len.is_multiple_of(GROUP) {
            self.rely_on_stack(self.sp + u64::from(distance) * WORD_BYTES, word);
        }
        self.usable.then_some(self.len / GROUP)
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
