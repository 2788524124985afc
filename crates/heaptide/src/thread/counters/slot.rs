//! All that was counted at one site, by one thread or by those that share the slot.
//!
//! What a count costs depends on what is already in the slot:
//!
//! | the slot | the allocation | the free |
//! |---|---|---|
//! | is valid for the state word, and the size or birth is as before | counters only (`…_fast`) | counters only (`…_fast`) |
//! | is valid; the block is the largest yet, or born in another bucket | and notes the size | and finds its cohort |
//! | is valid for an earlier epoch | and begins new ranges, in a new cohort | the same |
//! | is valid for an earlier recording, or new | and first voids what is there | the same |
//!
//! In all but the first row the `…_slow` functions do it ([`super::exact`]). A shared slot is valid for no
//! state word, so that nobody counts in it the quick way.

#![forbid(unsafe_code)]

use heaptide_format::Bucket;

use super::growth::GrowthRing;
use crate::shared::arena::{Arena, Link, Zeroed, zeroed};
use crate::shared::budget::Budget;
use crate::shared::cohort::{CohortCounts, CohortIndex, CohortList, CohortNode};
use crate::shared::state::{CohortKey, State};
use crate::shared::trailer::{Birth, LargestSize, PaddableSize, SiteIndex};
use crate::sync::Ordering::{Acquire, Relaxed, Release};
use crate::sync::{AtomicU64, add};

zeroed! {
    /// All that was counted at one site. The first cache line is what an allocation touches, if the slot
    /// is a thread's own.
    #[derive(Debug)]
    #[repr(C)]
    pub(crate) struct SiteSlot {
        /// The [`State`] for which all this is valid; only states of a recording are.
        pub(super) valid_for: AtomicU64,
        /// The birth of blocks made now, and the cohort that they count in. So it says as well which site
        /// the slot is of, and which recording the counts belong to; other counts are void.
        pub(super) alloc_birth: AtomicU64,
        pub(super) alloc_cohort: Link<CohortCounts>,
        pub(super) allocs: AtomicU64,
        pub(super) net_bytes: AtomicU64,
        pub(super) max_objects: AtomicU64,
        pub(super) max_bytes: AtomicU64,
        /// Size of the largest block so far. The hook makes a layout unchecked of a size that this
        /// covers.
        pub(super) largest: LargestSize,
        /// The birth of the block that was freed last, and the cohort that it counted in; 0 if there is
        /// none. An equal birth is intact, of this recording and in that cohort.
        pub(super) last_freed_birth: AtomicU64,
        pub(super) last_freed_cohort: Link<CohortCounts>,
        pub(super) frees: AtomicU64,
        pub(super) min_objects: AtomicU64,
        pub(super) min_bytes: AtomicU64,
        pub(super) reallocs: AtomicU64,
        pub(super) cohorts: CohortList,
        pub(super) detail: Link<SlotDetail>,
    }
}

zeroed! {
    /// What few slots need.
    #[derive(Debug)]
    pub(crate) struct SlotDetail {
        pub(super) more_cohorts: Link<CohortIndex>,
        /// In a shared slot, what grew at the site.
        growth: Link<GrowthRing>,
        /// In a sampled recording, the variances of live objects and bytes.
        pub(super) object_variance: AtomicU64,
        pub(super) byte_variance: AtomicU64,
    }
}

const _: () = assert!(size_of::<SiteSlot>() == 128);

/// Cohorts in a slot of a thread's own: the present bucket's, the one before, of which most blocks end
/// that were not short-lived, and two older ones. What comes to more moves to a shared slot.
const OWN_COHORTS: usize = 4;
/// Cohorts in the list of a shared slot; those that come later are found by the index.
const LISTED_COHORTS: usize = 8;

/// Where a slot has its memory from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SlotMemory {
    arena: &'static Arena,
    /// That of the threads, if the slot is one thread's own.
    budget: Option<&'static Budget>,
}

impl SlotMemory {
    pub(super) fn within(arena: &'static Arena, budget: &'static Budget) -> Self {
        Self { arena, budget: Some(budget) }
    }

    pub(super) fn shared(arena: &'static Arena) -> Self {
        Self { arena, budget: None }
    }

    /// Whether the slot is one that threads share.
    pub(super) fn is_shared(self) -> bool {
        self.budget.is_none()
    }

    /// A zeroed `T`; `None` at the budget, and without memory.
    fn one<T: Zeroed + Sync>(self) -> Option<&'static T> {
        let is_within = self.budget.is_none_or(|budget| budget.take(size_of::<T>() as u64));
        if is_within { self.arena.one() } else { None }
    }
}

impl SiteSlot {
    /// Says of a slot that was never used which site it is of.
    pub(super) fn belong_to(&self, site: SiteIndex) {
        if self.alloc_birth.load(Relaxed) == 0 {
            // Of no recording yet.
            self.alloc_birth.store(Birth::new(site, CohortKey(0)).to_bits(), Relaxed);
        }
    }

    pub(crate) fn site(&self) -> SiteIndex {
        Birth::from_bits(self.alloc_birth.load(Relaxed)).site()
    }

    /// The recording that the counts belong to. Whoever sees it sees that older counts are gone.
    pub(super) fn generation(&self) -> u32 {
        Birth::from_bits(self.alloc_birth.load(Acquire)).key().generation()
    }

    /// Whether `state` is the one that the slot was made valid for last.
    ///
    /// Slots are made valid for states of the running recording only.
    #[inline(always)]
    pub(super) fn is_valid_for(&self, state: State) -> bool {
        self.valid_for.load(Relaxed) == state.to_bits()
    }

    /// `bytes`, if a block of so many that is born now can be counted by
    /// [`SiteSlot::count_alloc_fast`].
    #[inline(always)]
    pub(crate) fn takes_fast_way(&self, state: State, bytes: usize) -> Option<PaddableSize> {
        if self.is_valid_for(state) { self.largest.covers(bytes) } else { None }
    }

    /// Counts a block for which [`SiteSlot::takes_fast_way`] gave its size; its birth.
    #[inline(always)]
    pub(crate) fn count_alloc_fast(&self, size: PaddableSize) -> Birth {
        if let Some(cohort) = self.alloc_cohort.get() {
            self.add_alloc(cohort, size.bytes() as u64);
        }
        Birth::from_bits(self.alloc_birth.load(Relaxed))
    }

    /// Counts a block born now; its birth. `None` in a slot that could not be made valid for the state.
    pub(super) fn count_alloc(&self, state: State, size: PaddableSize) -> Option<Birth> {
        let (cohort, birth) = self.cohort_of_made(state)?;
        self.largest.note(size);
        self.add_alloc(cohort, size.bytes() as u64);
        Some(birth)
    }

    /// The cohort and the birth of blocks made now.
    pub(super) fn cohort_of_made(&self, state: State) -> Option<(&'static CohortCounts, Birth)> {
        let birth = Birth::from_bits(self.alloc_birth.load(Relaxed));
        Some((self.alloc_cohort.get().filter(|_| birth.key() == state.key())?, birth))
    }

    /// Counts a block that was resized.
    pub(super) fn count_resize(
        &self,
        cohort: &CohortCounts,
        old_bytes: u64,
        new_size: PaddableSize,
    ) {
        let new_bytes = new_size.bytes() as u64;
        cohort.resize(old_bytes, new_bytes);
        self.largest.note(new_size);
        add(&self.reallocs, 1);
        add(&self.net_bytes, new_bytes.wrapping_sub(old_bytes));
        raise(&self.max_bytes, self.net_bytes.load(Relaxed));
        lower(&self.min_bytes, self.net_bytes.load(Relaxed));
    }

    /// Counts the end of a block, if nothing but counting is to be done; says whether it was.
    #[inline(always)]
    pub(super) fn count_free_fast(&self, state: State, birth: Birth, bytes: u64) -> bool {
        // The same birth as the last that was looked at: so the trailer is intact, and its block counts.
        if self.last_freed_birth.load(Relaxed) != birth.to_bits() || !self.is_valid_for(state) {
            return false;
        }
        let Some(cohort) = self.last_freed_cohort.get() else { return false };
        self.add_free(cohort, bytes);
        true
    }

    /// Blocks made less blocks freed, as this thread saw them: negative (in two's complement)
    /// when it frees what others allocate.
    #[inline]
    pub(super) fn net_objects(&self) -> u64 {
        self.allocs.load(Relaxed).wrapping_sub(self.frees.load(Relaxed))
    }

    #[inline(always)]
    fn add_alloc(&self, cohort: &CohortCounts, bytes: u64) {
        cohort.add_alloc(bytes);
        add(&self.allocs, 1);
        add(&self.net_bytes, bytes);
        raise(&self.max_objects, self.net_objects());
        raise(&self.max_bytes, self.net_bytes.load(Relaxed));
    }

    #[inline(always)]
    pub(super) fn add_free(&self, cohort: &CohortCounts, bytes: u64) {
        cohort.add_free(bytes);
        add(&self.frees, 1);
        add(&self.net_bytes, bytes.wrapping_neg());
        lower(&self.min_objects, self.net_objects());
        lower(&self.min_bytes, self.net_bytes.load(Relaxed));
    }

    /// Makes the slot valid for `state`: voids counts of an earlier recording; in a new epoch, opens the
    /// cohort of blocks made now and starts new ranges. `None` without memory.
    pub(super) fn make_valid_for(&self, memory: SlotMemory, state: State) -> Option<()> {
        if self.is_valid_for(state) {
            return Some(());
        }
        let (seen, key) = (State::from_bits(self.valid_for.load(Relaxed)), state.key());
        if (seen.key(), seen.tick()) != (key, state.tick()) {
            if self.generation() != key.generation() {
                self.clear();
            }
            self.alloc_cohort.set(Some(self.cohort(memory, key.bucket())?));
            self.start_ranges();
            self.alloc_birth.store(Birth::new(self.site(), key).to_bits(), Release);
        }
        let valid_for = if memory.is_shared() { state.without_phase() } else { state };
        self.valid_for.store(valid_for.to_bits(), Release);
        Some(())
    }

    fn start_ranges(&self) {
        let (objects, bytes) = (self.net_objects(), self.net_bytes.load(Relaxed));
        for (range, now) in [
            (&self.max_objects, objects),
            (&self.min_objects, objects),
            (&self.max_bytes, bytes),
            (&self.min_bytes, bytes),
        ] {
            range.store(now, Relaxed);
        }
    }

    fn clear(&self) {
        // The recorder of the new recording passes over this slot until its birth is of it.
        for counter in [&self.allocs, &self.frees, &self.reallocs, &self.net_bytes] {
            counter.store(0, Relaxed);
        }
        self.largest.clear();
        self.last_freed_birth.store(0, Relaxed);
        self.all_cohorts().for_each(CohortNode::vacate);
        let Some(detail) = self.detail.get() else { return };
        if let Some(growth) = detail.growth.get() {
            growth.clear();
        }
        detail.object_variance.store(0, Relaxed);
        detail.byte_variance.store(0, Relaxed);
    }

    pub(super) fn cohort_of_freed(
        &self,
        memory: SlotMemory,
        birth: Birth,
    ) -> Option<&'static CohortCounts> {
        if self.last_freed_birth.load(Relaxed) == birth.to_bits() {
            return self.last_freed_cohort.get();
        }
        // A slot that could not be made valid may be of an earlier recording.
        if self.generation() != birth.key().generation() {
            return None;
        }
        let cohort = self.cohort(memory, birth.key().bucket())?;
        self.last_freed_cohort.set(Some(cohort));
        self.last_freed_birth.store(birth.to_bits(), Relaxed);
        Some(cohort)
    }

    /// The cohort of a bucket; `None` without memory, or where one must first move away
    /// ([`Self::oldest_cohort`]).
    fn cohort(&self, memory: SlotMemory, bucket: Bucket) -> Option<&'static CohortCounts> {
        if let Some(known) = self.cohorts.find(bucket) {
            return Some(known);
        }
        let n_listed = if memory.is_shared() { LISTED_COHORTS } else { OWN_COHORTS };
        if self.cohorts.is_shorter_than(n_listed) {
            return Some(self.cohorts.add(memory.one()?, bucket));
        }
        if !memory.is_shared() {
            return None;
        }
        let more = &self.detail(memory)?.more_cohorts;
        if more.get().is_none() {
            more.set(Some(memory.one()?));
        }
        let list = more.get()?.list(bucket)?;
        list.find(bucket).or_else(|| Some(list.add(memory.one()?, bucket)))
    }

    /// The cohort of a bucket in the recording of `state`; `None` without memory, or in a slot that could not
    /// be made valid.
    pub(super) fn cohort_of(
        &self,
        memory: SlotMemory,
        state: State,
        bucket: Bucket,
    ) -> Option<&'static CohortCounts> {
        self.is_of_recording(state).then(|| self.cohort(memory, bucket)).flatten()
    }

    fn is_of_recording(&self, state: State) -> bool {
        self.generation() == state.key().generation()
    }

    /// The cohort that can move away first: the oldest, which is not that of blocks made in `state`.
    pub(super) fn oldest_cohort(&self, state: State) -> Option<&'static CohortNode> {
        if !self.is_of_recording(state) {
            return None;
        }
        let others = self.cohorts.nodes().filter(|node| node.bucket() != state.key().bucket());
        others.min_by_key(|node| node.bucket())
    }

    /// Forgets where blocks ended last: their cohort moves away.
    pub(super) fn forget_last_freed(&self) {
        self.last_freed_birth.store(0, Relaxed);
    }

    pub(super) fn all_cohorts(&self) -> impl Iterator<Item = &'static CohortNode> {
        let more = self.detail.get().and_then(|detail| detail.more_cohorts.get());
        self.cohorts.nodes().chain(more.into_iter().flat_map(CohortIndex::nodes))
    }

    pub(super) fn detail(&self, memory: SlotMemory) -> Option<&'static SlotDetail> {
        if self.detail.get().is_none() {
            self.detail.set(Some(memory.one()?));
        }
        self.detail.get()
    }

    /// What grew at the site, as far as it is noted here.
    pub(super) fn growth(&self) -> Option<&'static GrowthRing> {
        self.detail.get()?.growth.get()
    }

    pub(super) fn growth_or_make(
        &self,
        memory: SlotMemory,
        state: State,
    ) -> Option<&'static GrowthRing> {
        if !self.is_of_recording(state) {
            return None;
        }
        let growth = &self.detail(memory)?.growth;
        if growth.get().is_none() {
            growth.set(Some(memory.one()?));
        }
        growth.get()
    }
}

#[inline]
pub(super) fn raise(max: &AtomicU64, to: u64) {
    if (to as i64) > max.load(Relaxed) as i64 {
        max.store(to, Relaxed);
    }
}

#[inline]
pub(super) fn lower(min: &AtomicU64, to: u64) {
    if (to as i64) < min.load(Relaxed) as i64 {
        min.store(to, Relaxed);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use heaptide_format::{BUCKETS, Epoch};

    use super::*;
    use crate::shared::state::{Phase, StateCell};

    type Change = fn(&StateCell);

    /// The quick way is open in a thread's own slot for the very word that it was brought up to, and for
    /// no other; in a shared slot for none.
    fn check(memory: SlotMemory) {
        let slot: &SiteSlot = memory.one().expect("memory");
        let fast = |state: &StateCell, bytes| slot.takes_fast_way(state.load(), bytes).is_some();
        let state = StateCell::new();
        state.decide(Phase::Armed);
        assert!(!fast(&state, 8), "nothing is recorded");
        state.begin(1);
        let changes: [(&str, Change); 4] = [
            ("an epoch", |state| state.advance(Epoch(1))),
            ("an unload", |state| state.note_unloads(1)),
            ("the end", StateCell::end),
            ("a new recording", |state| state.begin(2)),
        ];
        for (change, happens) in changes {
            if state.load().is_recording() {
                slot.make_valid_for(memory, state.load()).expect("memory");
                let size = PaddableSize::new(8).expect("a size that can be");
                slot.count_alloc(state.load(), size).expect("a cohort");
                assert_eq!(fast(&state, 8), !memory.is_shared(), "before {change}");
                assert!(!fast(&state, 9), "larger than any before {change}");
            }
            happens(&state);
            assert!(!fast(&state, 8), "after {change}");
        }
    }

    #[test]
    fn a_slot_is_ready_for_one_state_only() {
        static ARENA: Arena = Arena::new();
        static BUDGET: Budget = Budget::new(1 << 20);
        check(SlotMemory::within(&ARENA, &BUDGET));
    }

    #[test]
    fn a_shared_slot_is_ready_for_no_state() {
        static ARENA: Arena = Arena::new();
        check(SlotMemory::shared(&ARENA));
    }

    #[test]
    fn a_slot_of_many_cohorts_finds_each_again() {
        static ARENA: Arena = Arena::new();
        let memory = SlotMemory::shared(&ARENA);
        let slot: &SiteSlot = memory.one().expect("memory");
        let cohort = |bucket| slot.cohort(memory, Bucket(bucket)).expect("memory");
        for bucket in (0..BUCKETS).rev() {
            cohort(bucket).add_allocs(u64::from(bucket), 0);
        }
        for bucket in 0..BUCKETS {
            assert_eq!(cohort(bucket).allocs().0, u64::from(bucket));
        }
        let mut seen: Vec<u32> = slot.all_cohorts().map(|node| node.bucket().0).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..BUCKETS).collect::<Vec<_>>());
    }
}
