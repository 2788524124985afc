//! The intern table: call stack and tag → site, shared by all threads, without a lock.
//!
//! Heads of chains, entries pushed in front by compare-and-swap, never moved or removed. Looking
//! up reads only; two threads that bring the same new stack at once agree on one entry, because a
//! push that lost the race looks at what was pushed meanwhile before it tries again. The loser's
//! site number is then left unused.

#![forbid(unsafe_code)]

use crate::shared::arena::{Arena, Link, RowLink, zeroed};
use crate::shared::trailer::{MAX_SITES, SiteIndex};
use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// 128 KiB of heads: twenty thousand sites, the most that were seen, make chains of one or two.
const HEADS: usize = 1 << 14;
/// 0 is no site, 1 is the overflow site.
const FIRST: u32 = SiteIndex::OVERFLOW.0 + 1;

zeroed! {
    /// One call site. Written by the thread that made it before it is linked in, then only read.
    #[derive(Debug)]
    pub(crate) struct SiteEntry {
        hash: AtomicU64,
        index: AtomicU32,
        tag: AtomicU32,
        truncated: AtomicU32,
        frames: RowLink<AtomicU64>,
        next: Link<SiteEntry>,
    }
}

impl SiteEntry {
    /// Frames, innermost first.
    pub(crate) fn frames(&self) -> &'static [AtomicU64] {
        self.frames.get().unwrap_or(&[])
    }

    /// Index of the tag in force; 0 is none.
    pub(crate) fn tag(&self) -> u32 {
        self.tag.load(Ordering::Relaxed)
    }

    pub(crate) fn truncated(&self) -> bool {
        self.truncated.load(Ordering::Relaxed) != 0
    }

    fn index(&self) -> SiteIndex {
        SiteIndex(self.index.load(Ordering::Relaxed))
    }

    fn is(&self, hash: u64, stack: StackRef<'_>) -> bool {
        self.hash.load(Ordering::Relaxed) == hash
            && self.tag() == stack.tag
            && self.truncated() == stack.truncated
            && same(self.frames(), stack.frames)
    }
}

/// A stack as it comes from the unwinder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StackRef<'a> {
    /// Innermost first: run-time return addresses, with the modules that they are in where that must be told
    /// (`crate::unwind::modules`).
    pub(crate) frames: &'a [AtomicU64],
    pub(crate) tag: u32,
    pub(crate) truncated: bool,
}

/// The table. One per process; tests make their own.
#[derive(Debug)]
pub(crate) struct SiteTable {
    heads: &'static [Link<SiteEntry>],
    by_index: &'static [Link<SiteEntry>],
    next_index: AtomicU32,
}

impl SiteTable {
    /// A table for `capacity` sites (at most [`MAX_SITES`]); `None` without memory.
    pub(crate) fn new(arena: &Arena, capacity: usize) -> Option<Self> {
        Some(Self {
            heads: arena.many(HEADS.min(capacity.next_power_of_two()))?,
            by_index: arena.many(capacity.clamp(FIRST as usize, MAX_SITES))?,
            next_index: AtomicU32::new(FIRST),
        })
    }

    /// The site of `stack`: the known one, or a new one, or [`SiteIndex::OVERFLOW`].
    pub(crate) fn intern(&self, arena: &Arena, stack: StackRef<'_>) -> SiteIndex {
        let hash = hash(stack);
        let Some(head) = self.heads.get(hash as usize & (self.heads.len() - 1)) else {
            return SiteIndex::OVERFLOW;
        };
        let mut newest = head.get();
        if let Some(known) = find(newest, None, hash, stack) {
            return known;
        }
        if self.end() >= self.by_index.len() {
            // A full table must not cost memory each time it is asked.
            return SiteIndex::OVERFLOW;
        }
        let Some(entry) = self.make(arena, hash, stack) else { return SiteIndex::OVERFLOW };
        loop {
            entry.next.set(newest);
            if head.replace(newest, Some(entry)) {
                return entry.index();
            }
            let pushed = head.get();
            if let Some(known) = find(pushed, newest, hash, stack) {
                self.forget(entry);
                return known;
            }
            newest = pushed;
        }
    }

    /// One more than the largest index given out.
    pub(crate) fn end(&self) -> usize {
        self.next_index.load(Ordering::Acquire) as usize
    }

    /// How full the table is: the more, the shorter stacks should be kept, so that they merge.
    pub(crate) fn sixteenths_taken(&self) -> usize {
        self.end() / self.by_index.len().div_ceil(16).max(1)
    }

    /// Site number `index`, if there is one.
    pub(crate) fn get(&self, index: SiteIndex) -> Option<&'static SiteEntry> {
        self.by_index.get(index.0 as usize)?.get()
    }

    fn make(&self, arena: &Arena, hash: u64, stack: StackRef<'_>) -> Option<&'static SiteEntry> {
        let entry = arena.one::<SiteEntry>()?;
        let frames = arena.row::<AtomicU64>(stack.frames.len())?;
        for (to, from) in frames.get().iter().zip(stack.frames) {
            to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        entry.frames.set(frames);
        entry.hash.store(hash, Ordering::Relaxed);
        entry.tag.store(stack.tag, Ordering::Relaxed);
        entry.truncated.store(u32::from(stack.truncated), Ordering::Relaxed);
        let index = self.claim_index()?;
        entry.index.store(index, Ordering::Relaxed);
        self.by_index.get(index as usize)?.set(Some(entry));
        Some(entry)
    }

    /// A number nobody has; `None` when the table is full. Never runs past the end, however
    /// often a full table is asked.
    fn claim_index(&self) -> Option<u32> {
        let end = self.by_index.len() as u32;
        self.next_index
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |next| {
                (next < end).then(|| next + 1)
            })
            .ok()
    }

    /// Takes back the number of an entry that another thread's equal entry forestalled.
    fn forget(&self, entry: &SiteEntry) {
        if let Some(link) = self.by_index.get(entry.index().0 as usize) {
            link.set(None);
        }
    }
}

/// Looks along a chain, from `from` to just before `until`.
fn find(
    from: Option<&'static SiteEntry>,
    until: Option<&'static SiteEntry>,
    hash: u64,
    stack: StackRef<'_>,
) -> Option<SiteIndex> {
    let mut at = from;
    while let Some(entry) = at {
        if until.is_some_and(|until| core::ptr::eq(entry, until)) {
            return None;
        }
        if entry.is(hash, stack) {
            return Some(entry.index());
        }
        at = entry.next.get();
    }
    None
}

fn same(a: &[AtomicU64], b: &[AtomicU64]) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|(a, b)| a.load(Ordering::Relaxed) == b.load(Ordering::Relaxed))
}

/// A multiply-and-rotate mix over the frames; collisions cost a compare, never a wrong site.
fn hash(stack: StackRef<'_>) -> u64 {
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    let seed = u64::from(stack.tag) << 1 | u64::from(stack.truncated);
    let mixed = stack.frames.iter().fold(seed, |mixed, frame| {
        (mixed.rotate_left(5) ^ frame.load(Ordering::Relaxed)).wrapping_mul(MULTIPLIER)
    });
    mixed ^ mixed >> 32
}
