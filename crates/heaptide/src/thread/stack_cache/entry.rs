//! Building an entry: it observes a walk, and keeps what the walk relied on. What other stacks have in
//! common with this one is then left out.

#![forbid(unsafe_code)]

use super::storage::{CacheMemory, RunPlace};
use super::{Comparison, Entry, EntryKey, Group, StackCache, WORD_BYTES};
use crate::thread::counters::slot::SiteSlot;
use crate::unwind::{Caller, WalkObserver};

/// The comparisons of one walk, innermost first.
#[derive(Debug)]
pub(crate) struct EntryBuilder<'a> {
    cache: &'a mut StackCache,
    caller: Caller,
    /// Comparisons so far.
    len: usize,
    /// The base pointer's register value that the walk relied on; 0 if none.
    pub(super) fp: u64,
    /// Cleared when something cannot be expressed: too far away, too long, not repeatable.
    pub(crate) usable: bool,
}

impl<'a> EntryBuilder<'a> {
    /// Starts an entry for the stack of `caller`.
    pub(crate) fn new(cache: &'a mut StackCache, caller: Caller) -> Self {
        Self { cache, caller, len: 0, fp: 0, usable: true }
    }

    /// What the walk has relied on so far.
    pub(super) fn comparisons(&self) -> &[Comparison] {
        self.cache.relied_on.get(..self.len).unwrap_or(&[])
    }

    /// Makes the entry findable: its stack counts at `slot`.
    pub(crate) fn commit(self, memory: CacheMemory<'_>, slot: &'static SiteSlot) {
        // First, because everything may be forgotten for it.
        if !self.usable || !self.cache.make_room(memory, self.len) {
            return;
        }
        let Some((key, rest)) = self.divergence() else { return };
        let Self { cache, len, fp, .. } = self;
        let context = cache.context;
        let Some(RunPlace { chunk, start, len }) = cache.append_run(rest..len) else { return };
        cache.insert(memory, Entry { key, fp, context, chunk, start, len, slot: Some(slot) });
    }

    /// Where this stack diverges from all that are in the cache: the key of what is left of it, and how
    /// many comparisons lead there. `None` if it does not.
    fn divergence(&self) -> Option<(EntryKey, usize)> {
        let mut left = self.comparisons().iter();
        let mut key = EntryKey::of(self.caller);
        let cache = &self.cache;
        let known = |key| cache.known(cache.entry(key, self.caller.fp)?);
        while let Some((run, _)) = known(key) {
            key = diverging_key(run, &mut left)?;
        }
        Some((key, self.len - left.len()))
    }
}

impl WalkObserver for EntryBuilder<'_> {
    fn relied_on_stack(&mut self, at: u64, word: u64) {
        let distance = at.checked_sub(self.caller.sp).filter(|bytes| bytes % WORD_BYTES == 0);
        let distance = distance.and_then(|bytes| u32::try_from(bytes / WORD_BYTES).ok());
        match (distance, self.cache.relied_on.get_mut(self.len)) {
            (Some(distance), Some(to)) => {
                *to = Comparison { word, distance };
                self.len += 1;
            }
            _ => self.usable = false,
        }
    }

    fn relied_on_register(&mut self, fp: u64) {
        self.fp = fp;
        // 0 stands for "does not matter".
        self.usable &= fp != 0;
    }

    fn cannot_be_repeated(&mut self) {
        self.usable = false;
    }
}

/// The key of what is left of a stack that diverges from this run.
fn diverging_key<'a>(
    run: &[Group],
    left: &mut impl Iterator<Item = &'a Comparison>,
) -> Option<EntryKey> {
    for group in run {
        for (expected, distance) in group.comparisons() {
            // What led here is the same, so the walk looked in the same place next.
            let found = left.next().filter(|found| found.distance == distance)?;
            if found.word != expected.get() {
                return Some(EntryKey::at_divergence(expected, found.word));
            }
        }
    }
    None
}
