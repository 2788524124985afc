//! The memo: stacks that a thread has unwound before, recognised without unwinding.
//!
//! The same call path allocates again and again with the same *shape*: the same stack pointer, the
//! same return address, and at fixed distances above it the same chain of return addresses. An
//! entry lists, innermost frame first, where on the stack the unwinder looked and what it found
//! there. If the same words stand at the same places, the stack is the same (the argument is in
//! `docs/SAFETY.md`, "Why a match is exact"); at the first difference the comparison ends, so no
//! word is read whose frame has not been shown to be there.
//!
//! Entries are variable-length runs in two parallel logs, one of expected words and one of
//! distances. A full log is emptied as a whole: the live set comes back within a few misses, and
//! nothing needs to be moved or counted.

#![forbid(unsafe_code)]

use crate::record::SiteIndex;
use crate::sync::Ordering::Relaxed;
use crate::sync::{AtomicU16, AtomicU32, AtomicU64};
use crate::unwind::{Caller, StackMemory};

const HEADS: usize = 2048;
const LOG: usize = 1 << 15;
/// How many entries with one hash are tried.
const WAYS: usize = 4;
/// Comparisons are made in groups of this size; an entry is padded with copies of its last one.
const GROUP: usize = 4;
/// Words of an entry before its comparisons.
const HEADER: usize = 7;
const WORD_BYTES: u64 = 8;

/// The memo of one thread. Only the owner reads or writes it.
#[derive(Debug)]
pub(crate) struct Memo {
    heads: [AtomicU32; HEADS],
    /// End of the committed log; 0 in a new memo.
    end: AtomicU32,
    words: [AtomicU64; LOG],
    distances: [AtomicU16; LOG],
}

/// What a site depends on beside the stack: the tag in force, and that no module was unloaded
/// since (an address may mean something else then).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Context(u64);

impl Context {
    #[inline]
    pub(crate) fn new(tag: u32, unloads: u32) -> Self {
        Self(u64::from(unloads) << 32 | u64::from(tag))
    }

    pub(crate) fn tag(self) -> u32 {
        self.0 as u32
    }

    pub(crate) fn unloads(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// An entry under construction: comparisons are appended while the unwinder walks.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    memo: &'a Memo,
    start: usize,
    len: usize,
    sp: u64,
    /// The base pointer's register value that the walk relied on, if it did.
    fp: Option<u64>,
    /// Cleared when something cannot be expressed: too far away, too long.
    pub(crate) usable: bool,
}

impl Memo {
    /// The site of a stack that was seen before in the same context.
    #[inline]
    pub(crate) fn find(
        &self,
        stack: &impl StackMemory,
        caller: Caller,
        context: Context,
    ) -> Option<SiteIndex> {
        let mut at = self.heads.get(slot(caller, context))?.load(Relaxed) as usize;
        for _ in 0..WAYS {
            if at == 0 {
                return None;
            }
            let header = self.words.get(at..at + HEADER)?;
            let header: &[AtomicU64; HEADER] = header.try_into().ok()?;
            let [ra, sp, fp, fp_mask, under, shape, next] = header;
            let shape = shape.load(Relaxed);
            if ra.load(Relaxed) == caller.ra
                && sp.load(Relaxed) == caller.sp
                && (fp.load(Relaxed) ^ caller.fp) & fp_mask.load(Relaxed) == 0
                && under.load(Relaxed) == context.0
                && self.holds(stack, caller.sp, at + HEADER, shape as u32 as usize)
            {
                return Some(SiteIndex((shape >> 32) as u32));
            }
            at = next.load(Relaxed) as usize;
        }
        None
    }

    /// Whether the stack above `sp` holds the `len` words expected from `start` on.
    #[inline]
    fn holds(&self, stack: &impl StackMemory, sp: u64, start: usize, len: usize) -> bool {
        let (Some(words), Some(distances)) =
            (self.words.get(start..start + len), self.distances.get(start..start + len))
        else {
            return false;
        };
        let (words, distances) = (words.as_chunks::<GROUP>().0, distances.as_chunks::<GROUP>().0);
        words.iter().zip(distances).all(|(words, distances)| {
            words.iter().zip(distances).all(|(word, distance)| {
                let at = sp + u64::from(distance.load(Relaxed)) * WORD_BYTES;
                stack.word(at) == word.load(Relaxed)
            })
        })
    }

    /// Starts an entry for the stack of `caller`.
    pub(crate) fn draft(&self, caller: Caller) -> Draft<'_> {
        let start = (self.end.load(Relaxed) as usize).max(1);
        Draft { memo: self, start, len: 0, sp: caller.sp, fp: None, usable: true }
    }

    /// Forgets everything: the log is full, or modules were unloaded.
    pub(crate) fn clear(&self) {
        for head in &self.heads {
            head.store(0, Relaxed);
        }
        self.end.store(1, Relaxed);
    }

    /// Makes the drafted entry findable.
    pub(crate) fn commit(
        &self,
        draft: Draft<'_>,
        caller: Caller,
        context: Context,
        site: SiteIndex,
    ) {
        let Draft { start, fp, usable, .. } = draft;
        let Some(len) = usable.then(|| draft.pad()).flatten() else {
            // A log with no room left for this one starts over; the next walk will fit.
            if start + HEADER + crate::unwind::MAX_CHECKS > LOG {
                self.clear();
            }
            return;
        };
        let Some(head) = self.heads.get(slot(caller, context)) else { return };
        let shape = u64::from(site.0) << 32 | len as u64;
        let header = [
            caller.ra,
            caller.sp,
            fp.unwrap_or(0),
            if fp.is_some() { u64::MAX } else { 0 },
            context.0,
            shape,
            u64::from(head.load(Relaxed)),
        ];
        for (to, word) in self.words.iter().skip(start).zip(header) {
            to.store(word, Relaxed);
        }
        self.end.store((start + HEADER + len) as u32, Relaxed);
        head.store(start as u32, Relaxed);
    }
}

impl Draft<'_> {
    /// The walk read `word` at address `at` and relied on it.
    pub(crate) fn rely_on_stack(&mut self, at: u64, word: u64) {
        let distance = at.checked_sub(self.sp).filter(|bytes| bytes % WORD_BYTES == 0);
        let distance = distance.and_then(|bytes| u16::try_from(bytes / WORD_BYTES).ok());
        let place = self.start + HEADER + self.len;
        match (distance, self.memo.words.get(place), self.memo.distances.get(place)) {
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
        self.fp = Some(fp);
    }

    /// Repeats the last comparison until the groups are full; the padded length.
    fn pad(mut self) -> Option<usize> {
        let last = self.start + HEADER + self.len.checked_sub(1)?;
        let word = self.memo.words.get(last)?.load(Relaxed);
        let distance = self.memo.distances.get(last)?.load(Relaxed);
        while !self.len.is_multiple_of(GROUP) {
            self.rely_on_stack(self.sp + u64::from(distance) * WORD_BYTES, word);
            if !self.usable {
                return None;
            }
        }
        Some(self.len)
    }
}

/// Which chain a stack belongs to: depth and place of the innermost call.
#[inline]
fn slot(caller: Caller, context: Context) -> usize {
    let mixed = (caller.sp ^ caller.ra.rotate_left(17) ^ context.0 << 7)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> (64 - HEADS.ilog2())) as usize
}
