//! All that one thread counted at one site, and where its slots are found.
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
//! In all but the first row the `…_slow` functions do it.

#![forbid(unsafe_code)]

use heaptide_format::Bucket;

use super::growth::{GROWTH_FLOOR_BYTES, GrowthRing};
use crate::shared::arena::{Arena, Link, zeroed};
use crate::shared::cohort::{CohortCounts, CohortIndex, CohortList};
use crate::shared::labels::WorkCounters;
use crate::shared::state::{CohortKey, State};
use crate::shared::trailer::{Birth, LargestSize, MAX_SITES, PaddableSize, SiteIndex};
use crate::sync::Ordering::{Acquire, Relaxed, Release};
use crate::sync::{AtomicU64, add};

/// Slots are made 32 at a time, a page of them: sites that a thread meets together have neighbouring
/// numbers.
pub(super) const SLOTS_PER_CHUNK: usize = 32;

zeroed! {
    /// All that one thread counted at one site. The first cache line is what an allocation touches.
    #[derive(Debug)]
    #[repr(C, align(128))]
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
        pub(super) growth: Link<GrowthRing>,
        /// In a sampled recording, the variances of live objects and bytes.
        pub(super) object_variance: AtomicU64,
        pub(super) byte_variance: AtomicU64,
    }
}

/// Where a count goes that needs more than the slot: memory, and the work done so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CountContext {
    pub(crate) arena: &'static Arena,
    pub(crate) work: &'static WorkCounters,
}

/// The slots of one thread, by site.
pub(crate) type SlotChunks = [Link<[SiteSlot; SLOTS_PER_CHUNK]>; MAX_SITES / SLOTS_PER_CHUNK];

#[inline]
pub(super) fn find(chunks: &SlotChunks, site: SiteIndex) -> Option<&'static SiteSlot> {
    let site = site.0 as usize;
    chunks.get(site / SLOTS_PER_CHUNK)?.get()?.get(site % SLOTS_PER_CHUNK)
}

/// The slot of `site`, made valid for `state`; `None` without memory.
pub(super) fn valid_slot(
    chunks: &SlotChunks,
    context: CountContext,
    state: State,
    site: SiteIndex,
) -> Option<&'static SiteSlot> {
    let slot = slot(chunks, context.arena, site)?;
    slot.make_valid_for(context.arena, state)?;
    Some(slot)
}

/// The thread's slot for `site`, made if need be; `None` without memory.
pub(crate) fn slot(
    chunks: &SlotChunks,
    arena: &Arena,
    site: SiteIndex,
) -> Option<&'static SiteSlot> {
    let link = chunks.get(site.0 as usize / SLOTS_PER_CHUNK)?;
    if link.get().is_none() {
        link.set(Some(arena.one()?));
    }
    let slot = find(chunks, site)?;
    if slot.alloc_birth.load(Relaxed) == 0 {
        // Of no recording yet.
        slot.alloc_birth.store(Birth::new(site, CohortKey(0)).to_bits(), Relaxed);
    }
    Some(slot)
}

/// Counts the end of a block of `bytes`, if nothing but counting is to be done; says whether it
/// was.
#[inline(always)]
pub(crate) fn count_free_fast(chunks: &SlotChunks, state: State, birth: Birth, bytes: u64) -> bool {
    let Some(slot) = find(chunks, birth.site()) else { return false };
    // The same birth as the last that was looked at: so the trailer is intact, and its block counts.
    if slot.last_freed_birth.load(Relaxed) != birth.to_bits() || !slot.is_valid_for(state) {
        return false;
    }
    let Some(cohort) = slot.last_freed_cohort.get() else { return false };
    slot.add_free(cohort, bytes);
    true
}

/// Counts the end of a block of `bytes` of this recording, whose trailer is `birth`. False without
/// memory.
pub(crate) fn count_free_slow(
    chunks: &SlotChunks,
    context: CountContext,
    state: State,
    birth: Birth,
    bytes: u64,
) -> bool {
    let Some(slot) = valid_slot(chunks, context, state, birth.site()) else { return false };
    let Some(cohort) = slot.cohort_of_freed(context.arena, birth) else { return false };
    slot.add_free(cohort, bytes);
    true
}

/// Whether a block that is resized to `bytes` outgrows all that this thread knows at its site by as much
/// as makes an event, so that it is worth knowing who resized it.
#[inline]
pub(crate) fn outgrows_all(chunks: &SlotChunks, state: State, birth: Birth, bytes: u64) -> bool {
    if bytes < GROWTH_FLOOR_BYTES {
        return false;
    }
    // What an earlier recording counted there is void.
    let slot =
        find(chunks, birth.site()).filter(|slot| slot.generation() == state.key().generation());
    slot.is_none_or(|slot| {
        let growth = slot.detail.get().and_then(|detail| detail.growth.get());
        let last_bytes = growth.map_or(0, GrowthRing::last_bytes);
        slot.largest.bytes() < bytes && is_growth(bytes, last_bytes)
    })
}

/// A fifth more than the last is what counts as growth.
fn is_growth(bytes: u64, last_bytes: u64) -> bool {
    bytes >= last_bytes.saturating_add(last_bytes / 5)
}

/// Counts a block that was resized, at `grown_at` if it outgrew all before it: it keeps its site and
/// its birth. False without memory.
pub(crate) fn count_resize(
    chunks: &SlotChunks,
    context: CountContext,
    state: State,
    (birth, old_bytes): (Birth, u64),
    new_size: PaddableSize,
    grown_at: SiteIndex,
) -> bool {
    let Some(slot) = valid_slot(chunks, context, state, birth.site()) else { return false };
    let Some(cohort) = slot.cohort_of_freed(context.arena, birth) else { return false };
    let new_bytes = new_size.bytes() as u64;
    cohort.resize(old_bytes, new_bytes);
    // Before the event is counted: whoever has seen all events has seen the size.
    slot.note_size(context, state.key().bucket(), new_size, grown_at);
    add(&slot.reallocs, 1);
    add(&slot.net_bytes, new_bytes.wrapping_sub(old_bytes));
    raise(&slot.max_bytes, slot.net_bytes.load(Relaxed));
    lower(&slot.min_bytes, slot.net_bytes.load(Relaxed));
    true
}

impl SiteSlot {
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
    fn is_valid_for(&self, state: State) -> bool {
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

    /// Counts a block born now; `None` if there is no memory to count it in.
    pub(crate) fn count_alloc_slow(
        &self,
        context: CountContext,
        state: State,
        size: PaddableSize,
    ) -> Option<Birth> {
        self.make_valid_for(context.arena, state)?;
        let cohort = self.alloc_cohort.get()?;
        // Before the event is counted: whoever has seen all events has seen the size.
        self.note_size(context, state.key().bucket(), size, SiteIndex::NONE);
        self.add_alloc(cohort, size.bytes() as u64);
        Some(Birth::from_bits(self.alloc_birth.load(Relaxed)))
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
    fn add_free(&self, cohort: &CohortCounts, bytes: u64) {
        cohort.add_free(bytes);
        add(&self.frees, 1);
        add(&self.net_bytes, bytes.wrapping_neg());
        lower(&self.min_objects, self.net_objects());
        lower(&self.min_bytes, self.net_bytes.load(Relaxed));
    }

    /// Makes the slot valid for `state`: voids counts of an earlier recording; in a new epoch, opens the
    /// cohort of blocks made now and starts new ranges. `None` without memory.
    pub(super) fn make_valid_for(&self, arena: &Arena, state: State) -> Option<()> {
        if self.is_valid_for(state) {
            return Some(());
        }
        let (seen, key) = (State::from_bits(self.valid_for.load(Relaxed)), state.key());
        if (seen.key(), seen.tick()) != (key, state.tick()) {
            if self.generation() != key.generation() {
                self.clear();
            }
            self.alloc_cohort.set(Some(self.cohort(arena, key.bucket())?));
            self.start_ranges();
            self.alloc_birth.store(Birth::new(self.site(), key).to_bits(), Release);
        }
        self.valid_for.store(state.to_bits(), Release);
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
        self.all_cohorts().for_each(|(_, cohort)| cohort.clear());
        let Some(detail) = self.detail.get() else { return };
        if let Some(growth) = detail.growth.get() {
            growth.written.store(0, Relaxed);
        }
        detail.object_variance.store(0, Relaxed);
        detail.byte_variance.store(0, Relaxed);
    }

    pub(super) fn cohort_of_freed(
        &self,
        arena: &Arena,
        birth: Birth,
    ) -> Option<&'static CohortCounts> {
        if self.last_freed_birth.load(Relaxed) == birth.to_bits() {
            return self.last_freed_cohort.get();
        }
        let cohort = self.cohort(arena, birth.key().bucket())?;
        self.last_freed_cohort.set(Some(cohort));
        self.last_freed_birth.store(birth.to_bits(), Relaxed);
        Some(cohort)
    }

    fn cohort(&self, arena: &Arena, bucket: Bucket) -> Option<&'static CohortCounts> {
        if let Some(known) = self.cohorts.find(bucket) {
            return Some(known);
        }
        if !self.cohorts.is_full() {
            return self.cohorts.add(arena, bucket);
        }
        let more = &self.detail(arena)?.more_cohorts;
        if more.get().is_none() {
            more.set(Some(arena.one()?));
        }
        let list = more.get()?.list(bucket)?;
        list.find(bucket).or_else(|| list.add(arena, bucket))
    }

    pub(super) fn all_cohorts(&self) -> impl Iterator<Item = (Bucket, &'static CohortCounts)> {
        let more = self.detail.get().and_then(|detail| detail.more_cohorts.get());
        self.cohorts.iter().chain(more.into_iter().flat_map(CohortIndex::iter))
    }

    pub(super) fn detail(&self, arena: &Arena) -> Option<&'static SlotDetail> {
        if self.detail.get().is_none() {
            self.detail.set(Some(arena.one()?));
        }
        self.detail.get()
    }

    pub(super) fn note_size(
        &self,
        context: CountContext,
        bucket: Bucket,
        size: PaddableSize,
        grown_at: SiteIndex,
    ) {
        let bytes = size.bytes() as u64;
        if !self.largest.note(size) || bytes < GROWTH_FLOOR_BYTES {
            return;
        }
        let Some(detail) = self.detail(context.arena) else { return };
        if detail.growth.get().is_none() {
            let Some(ring) = context.arena.one() else { return };
            detail.growth.set(Some(ring));
        }
        let Some(ring) = detail.growth.get() else { return };
        if is_growth(bytes, ring.last_bytes()) {
            ring.push(bucket, bytes, grown_at, context.work);
        }
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
    use heaptide_format::Epoch;

    use super::*;
    use crate::shared::labels::MAX_WORK;
    use crate::shared::state::{Phase, StateCell};

    type Change = fn(&StateCell);

    /// The quick way is open for the very word that the slot was brought up to, and for no other.
    #[test]
    fn a_slot_is_ready_for_one_state_only() {
        static ARENA: Arena = Arena::new();
        static WORK: WorkCounters = [const { AtomicU64::new(0) }; MAX_WORK];
        let context = CountContext { arena: &ARENA, work: &WORK };
        let slot: &SiteSlot = ARENA.one().expect("memory");
        let size = |bytes| PaddableSize::new(bytes).expect("a size that can be");
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
                slot.count_alloc_slow(context, state.load(), size(8)).expect("memory");
                assert!(fast(&state, 8), "before {change}");
                assert!(!fast(&state, 9), "larger than any before {change}");
            }
            happens(&state);
            assert!(!fast(&state, 8), "after {change}");
        }
    }
}
