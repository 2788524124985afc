//! Where entries and runs are kept: chunks that are added as stacks are met, within the budget, and what
//! is given up when there may be no more.
//!
//! A thread has one chunk of each whatever the budget says; 32 KiB are what a thread costs. Sets are
//! doubled: what is in each goes on to two, and nothing is left behind. The log grows a chunk at a time
//! and never moves, because entries are found by addresses of words in it.

#![forbid(unsafe_code)]

use core::mem;
use core::ops::Range;

use super::{
    Comparison, Entry, GROUP, GROUPS_PER_CHUNK, LogChunk, SETS_PER_CHUNK, Set, SetChunk,
    StackCache, TAG_BITS, TAG_MASK, origin,
};
use crate::shared::arena::Arena;
use crate::shared::budget::Budget;

/// So many stacks are missed for each that is known, before a full log is emptied: relearning what it holds
/// is then a small part of the work.
const PASSED_BY_PER_ENTRY: usize = 8;

/// Where the chunks come from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CacheMemory<'a> {
    pub(crate) arena: &'a Arena,
    pub(crate) budget: &'a Budget,
}

/// Where a run stands in the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct RunPlace {
    pub(super) chunk: u16,
    pub(super) start: u8,
    pub(super) len: u8,
}

impl StackCache {
    pub(super) fn set_mut(&mut self, set: usize) -> Option<&mut Set> {
        self.sets.get_mut(set / SETS_PER_CHUNK)?.as_deref_mut()?.get_mut(set % SETS_PER_CHUNK)
    }

    /// A set, and the one that takes what finds no room in it.
    pub(super) fn set_and_next(&mut self, set: usize) -> Option<(&mut Set, &mut Set)> {
        let pair = [set, self.next_to(set)].map(|set| set % SETS_PER_CHUNK);
        let chunk = self.sets.get_mut(set / SETS_PER_CHUNK)?.as_deref_mut()?;
        chunk.get_disjoint_mut(pair).ok().map(<[&mut Set; 2]>::into)
    }

    /// Makes room in the log for a run of so many comparisons. False if there is none, and what is known is
    /// worth more than what is new.
    ///
    /// The first runs are those that others go on from, so no part of the log can be given up alone: where
    /// its oldest quarter was, a third of the stacks that fit were recognised that are when all stay.
    pub(super) fn make_room(&mut self, memory: CacheMemory<'_>, n_comparisons: usize) -> bool {
        if let Some(first @ None) = self.sets.first_mut() {
            *first = memory.arena.one_mut();
        }
        let n_groups = n_comparisons.div_ceil(GROUP).max(1);
        if self.n_log_chunks > 0 && self.n_groups + n_groups <= GROUPS_PER_CHUNK {
            return true;
        }
        let next = if self.n_log_chunks == 0 { 0 } else { self.log_chunk + 1 };
        if next < self.n_log_chunks || self.grow_log(memory) {
            (self.log_chunk, self.n_groups) = (next, 0);
            return true;
        }
        self.n_passed_by += 1;
        let is_outlived = self.n_passed_by > PASSED_BY_PER_ENTRY * self.n_entries;
        if is_outlived {
            self.clear();
        }
        is_outlived && self.n_log_chunks > 0
    }

    /// Adds a chunk to the end of the log; false if there may be no more.
    fn grow_log(&mut self, memory: CacheMemory<'_>) -> bool {
        let n_chunks = self.n_log_chunks;
        let Some(end) = self.log.get_mut(n_chunks) else { return false };
        if n_chunks > 0 && !memory.budget.take_for_stacks(size_of::<LogChunk>() as u64) {
            return false;
        }
        *end = memory.arena.one_mut().map(|chunk: &mut LogChunk| &*chunk);
        let is_there = end.is_some();
        self.n_log_chunks += usize::from(is_there);
        is_there
    }

    /// Writes a run at the end of the log, where [`Self::make_room`] made room for it.
    ///
    /// One without comparisons takes room too: entries that keep evicting one another must still fill
    /// the log, so that it is known to be full.
    pub(super) fn append_run(&mut self, run: Range<usize>) -> Option<RunPlace> {
        let Self { log, relied_on, log_chunk, n_groups, .. } = self;
        let comparisons: &[Comparison] = relied_on.get(run)?;
        let chunk: &LogChunk = (*log.get(*log_chunk)?)?;
        let room = chunk.get(*n_groups..)?;
        let groups = comparisons.chunks(GROUP);
        let (start, len) = (*n_groups, groups.len());
        if room.len() < len.max(1) {
            return None;
        }
        for (group, comparisons) in room.iter().zip(groups) {
            group.expect(comparisons);
        }
        *n_groups += len.max(1);
        Some(RunPlace { chunk: *log_chunk as u16, start: start as u8, len: len as u8 })
    }

    /// Adds an entry to its set, or to the next one if that is full, or else in the place of the
    /// latest: on the older ones others are more likely to depend, which would be lost with them.
    pub(super) fn insert(&mut self, memory: CacheMemory<'_>, entry: Entry) {
        let home = self.set_of(entry.key);
        if self.room_in(home).is_none() {
            // Where the next one is full too something would be lost, unless more sets are made earlier.
            let per_set = if self.room_in(self.next_to(home)).is_none() { 16 } else { 2 };
            if per_set * self.n_entries > self.mask {
                self.split_sets(memory);
            }
        }
        let home = self.set_of(entry.key);
        let mut nearby = [home, self.next_to(home)].into_iter();
        let room = nearby.find_map(|set| Some((set, self.room_in(set)?)));
        let (set, way) = room.unwrap_or((home, 0));
        let Some(Set { ways }) = self.set_mut(set) else { return };
        if let Some(up_to) = ways.get_mut(..=way) {
            up_to.rotate_right(1);
        }
        let [first, ..] = ways;
        *first = entry;
        self.n_entries += usize::from(room.is_some());
    }

    /// The first way of a set that holds no entry of the present version.
    fn room_in(&self, set: usize) -> Option<usize> {
        let version = self.context >> TAG_BITS;
        self.set(set)?.ways.iter().position(|entry| !entry.is_of(version))
    }

    /// Doubles the number of sets, if there may be more: what is in each goes on to two.
    fn split_sets(&mut self, memory: CacheMemory<'_>) {
        let (base, version, n_sets) = (self.base, self.context >> TAG_BITS, self.mask + 1);
        let n_chunks = n_sets / SETS_PER_CHUNK;
        let Some((lower, upper)) = self.sets.split_at_mut_checked(n_chunks) else { return };
        let Some(upper) = upper.get_mut(..n_chunks) else { return };
        // Some are there if an earlier try ended for want of memory.
        let missing = upper.iter().filter(|chunk| chunk.is_none()).count();
        if !memory.budget.take_for_stacks((missing * size_of::<SetChunk>()) as u64) {
            return;
        }
        for chunk in upper.iter_mut().filter(|chunk| chunk.is_none()) {
            *chunk = memory.arena.one_mut();
        }
        if upper.iter().any(Option::is_none) {
            return;
        }
        let sets = lower.iter_mut().flatten().zip(upper.iter_mut().flatten());
        let pairs = sets.flat_map(|(from, to)| from.iter_mut().zip(to.iter_mut()));
        for (from, to) in pairs.flat_map(|(from, to)| from.ways.iter_mut().zip(&mut to.ways)) {
            if from.is_of(version) && from.key.hash(origin(base, from.context)) & n_sets != 0 {
                mem::swap(from, to);
            }
        }
        self.mask = 2 * n_sets - 1;
    }

    /// Forgets everything: it is not what is needed any more, code was unloaded, or another thread takes
    /// over. The memory stays.
    pub(crate) fn clear(&mut self) {
        let next = self.context.checked_add(1 << TAG_BITS);
        if next.is_none() {
            // After a million versions their numbers begin again: now the entries must really go.
            let sets = self.sets.iter_mut().flatten().flat_map(|chunk| chunk.iter_mut());
            for entry in sets.flat_map(|set| &mut set.ways) {
                (entry.key.place, entry.slot) = (0, None);
            }
        }
        self.context = next.unwrap_or(self.context & TAG_MASK);
        (self.log_chunk, self.n_groups) = (0, 0);
        (self.n_entries, self.n_passed_by) = (0, 0);
    }

    /// Forgets everything for another thread, whose stack is near `base` now.
    pub(crate) fn reset_for_thread(&mut self, base: u64) {
        self.clear();
        self.mask = self.mask.max(SETS_PER_CHUNK - 1);
        self.base = base;
        self.set_tag(0);
    }
}
