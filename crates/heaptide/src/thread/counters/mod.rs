//! What one thread counted at each site: slots, and the birth cohorts in them.
//!
//! Every counter has one writer, the thread that owns it, and is read by the recorder thread while
//! it is written. Nothing here is a read-modify-write. How the recorder gets sums that never go
//! negative stands in [`crate::shared::cell`].

#![forbid(unsafe_code)]

pub(crate) mod sampled;

use heaptide_format::{BUCKETS, Bucket};

use crate::shared::arena::{Arena, Link};
use crate::shared::cell::Cell;
use crate::shared::labels::WorkCounters;
use crate::shared::state::State;
use crate::shared::trailer::{Birth, MAX_SITES, SiteIndex};
use crate::sync::Ordering::{Acquire, Relaxed, Release};
use crate::sync::{AtomicU32, AtomicU64, add, fence};

const SLOTS_PER_CHUNK: usize = 32;
const CELLS_PER_CHUNK: usize = 8;
const CELL_CHUNKS: usize = (BUCKETS as usize).div_ceil(CELLS_PER_CHUNK);
/// Growth events kept per site and thread.
const GROWTH_EVENTS: usize = 8;
/// Blocks below this size are not watched for growth: no container worth a finding is smaller.
const GROWTH_FLOOR_BYTES: u64 = 256;

/// All that one thread counted at one site. The first cache line is what a birth touches.
#[derive(Debug)]
#[repr(C, align(128))]
pub(crate) struct SiteSlot {
    /// The [`State`] for which all this is current.
    stamp: AtomicU64,
    /// What the records of blocks born now say, and where they count.
    birth: AtomicU64,
    birth_cell: Link<Cell>,
    allocs: AtomicU64,
    net_bytes: AtomicU64,
    max_objects: AtomicU64,
    max_bytes: AtomicU64,
    /// Size of the largest block so far.
    largest_bytes: AtomicU64,
    /// What the record of the block said that ended last, and where it counted; 0 if there is none.
    death: AtomicU64,
    death_cell: Link<Cell>,
    frees: AtomicU64,
    min_objects: AtomicU64,
    min_bytes: AtomicU64,
    reallocs: AtomicU64,
    detail: Link<SlotDetail>,
    /// The recording that the counts belong to; other counts are void.
    generation: AtomicU32,
    site: AtomicU32,
}

/// The rarely touched part of a slot.
#[derive(Debug)]
pub(crate) struct SlotDetail {
    cells: [Link<[Cell; CELLS_PER_CHUNK]>; CELL_CHUNKS],
    growth: Link<GrowthRing>,
    /// In a sampled recording, the variances of live objects and bytes.
    object_variance: AtomicU64,
    byte_variance: AtomicU64,
}

/// The last few blocks that outgrew all before them at their site and thread.
#[derive(Debug)]
pub(crate) struct GrowthRing {
    written: AtomicU64,
    bytes: [AtomicU64; GROWTH_EVENTS],
    bucket: [AtomicU32; GROWTH_EVENTS],
    work: [WorkCounters; GROWTH_EVENTS],
}

/// Where a count goes that needs more than the slot: memory, and the work done so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings {
    pub(crate) arena: &'static Arena,
    pub(crate) work: &'static WorkCounters,
}

/// The slots of one thread, by site.
pub(crate) type SlotChunks = [Link<[SiteSlot; SLOTS_PER_CHUNK]>; MAX_SITES / SLOTS_PER_CHUNK];

#[inline]
fn find(chunks: &SlotChunks, site: SiteIndex) -> Option<&'static SiteSlot> {
    let site = site.0 as usize;
    chunks.get(site / SLOTS_PER_CHUNK)?.get()?.get(site % SLOTS_PER_CHUNK)
}

/// The current slot of `site`; `None` without memory.
fn current(
    chunks: &SlotChunks,
    around: Surroundings,
    state: State,
    site: SiteIndex,
) -> Option<&'static SiteSlot> {
    let slot = slot(chunks, around.arena, site)?;
    slot.catch_up(around.arena, state)?;
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
    slot.site.store(site.0, Relaxed);
    Some(slot)
}

/// Counts the end of a block of `bytes`, if nothing but counting is to be done; says whether it
/// was.
#[inline(always)]
pub(crate) fn death_again(chunks: &SlotChunks, state: State, birth: Birth, bytes: u64) -> bool {
    let Some(slot) = find(chunks, birth.site()) else { return false };
    // The same birth as the last that was looked at: so the record is intact and counts.
    if slot.death.load(Relaxed) != birth.to_bits() || !slot.is_current(state) {
        return false;
    }
    let Some(cell) = slot.death_cell.get() else { return false };
    slot.add_death(cell, bytes);
    true
}

/// Counts the end of a block of `bytes` of this recording, whose record is `birth`. False without
/// memory.
pub(crate) fn death(
    chunks: &SlotChunks,
    around: Surroundings,
    state: State,
    birth: Birth,
    bytes: u64,
) -> bool {
    let Some(slot) = current(chunks, around, state, birth.site()) else { return false };
    let Some(cell) = slot.death_cell(around.arena, birth) else { return false };
    slot.add_death(cell, bytes);
    true
}

/// Counts a block that was resized: it keeps its site and its birth. False without memory.
pub(crate) fn resize(
    chunks: &SlotChunks,
    around: Surroundings,
    state: State,
    birth: Birth,
    old_bytes: u64,
    new_bytes: u64,
) -> bool {
    let Some(slot) = current(chunks, around, state, birth.site()) else { return false };
    let Some(cell) = slot.death_cell(around.arena, birth) else { return false };
    cell.resize(old_bytes, new_bytes);
    // Before the event is counted: whoever has seen all events has seen the size.
    slot.note_size(around, state.key().bucket(), new_bytes);
    add(&slot.reallocs, 1);
    add(&slot.net_bytes, new_bytes.wrapping_sub(old_bytes));
    raise(&slot.max_bytes, slot.net_bytes.load(Relaxed));
    lower(&slot.min_bytes, slot.net_bytes.load(Relaxed));
    true
}

impl SiteSlot {
    pub(crate) fn site(&self) -> SiteIndex {
        SiteIndex(self.site.load(Relaxed))
    }

    /// Whether `state` is the one that the slot was brought up to.
    ///
    /// Slots are brought up to states of the running recording only.
    #[inline(always)]
    fn is_current(&self, state: State) -> bool {
        self.stamp.load(Relaxed) == state.to_bits()
    }

    /// Whether a block of `bytes` born now can be counted by [`SiteSlot::birth_again`].
    #[inline(always)]
    pub(crate) fn is_ready(&self, state: State, bytes: u64) -> bool {
        self.is_current(state) && bytes <= self.largest_bytes.load(Relaxed)
    }

    /// Counts a block of `bytes` for which the slot is ready; its birth.
    #[inline(always)]
    pub(crate) fn birth_again(&self, bytes: u64) -> Birth {
        if let Some(cell) = self.birth_cell.get() {
            self.add_birth(cell, bytes);
        }
        Birth::from_bits(self.birth.load(Relaxed))
    }

    /// Counts a block of `bytes` born now; `None` if there is no memory to count it in.
    pub(crate) fn birth(&self, around: Surroundings, state: State, bytes: u64) -> Option<Birth> {
        self.catch_up(around.arena, state)?;
        let cell = self.birth_cell.get()?;
        // Before the event is counted: whoever has seen all events has seen the size.
        self.note_size(around, state.key().bucket(), bytes);
        self.add_birth(cell, bytes);
        Some(Birth::from_bits(self.birth.load(Relaxed)))
    }

    /// Blocks born less blocks ended, as this thread saw them: negative (in two's complement)
    /// when it frees what others allocate.
    #[inline]
    fn net_objects(&self) -> u64 {
        self.allocs.load(Relaxed).wrapping_sub(self.frees.load(Relaxed))
    }

    #[inline(always)]
    fn add_birth(&self, cell: &Cell, bytes: u64) {
        cell.birth(bytes);
        add(&self.allocs, 1);
        add(&self.net_bytes, bytes);
        raise(&self.max_objects, self.net_objects());
        raise(&self.max_bytes, self.net_bytes.load(Relaxed));
    }

    #[inline(always)]
    fn add_death(&self, cell: &Cell, bytes: u64) {
        cell.death(bytes);
        add(&self.frees, 1);
        add(&self.net_bytes, bytes.wrapping_neg());
        lower(&self.min_objects, self.net_objects());
        lower(&self.min_bytes, self.net_bytes.load(Relaxed));
    }

    /// Brings the slot up to `state`: voids counts of an earlier recording; in a new epoch, opens
    /// the birth cell and starts new ranges. `None` without memory.
    fn catch_up(&self, arena: &Arena, state: State) -> Option<()> {
        if self.is_current(state) {
            return Some(());
        }
        let (seen, key) = (State::from_bits(self.stamp.load(Relaxed)), state.key());
        if (seen.key(), seen.tick()) != (key, state.tick()) {
            if self.generation.load(Relaxed) != key.generation() {
                self.clear();
            }
            self.birth_cell.set(Some(self.cell(arena, key.bucket())?));
            self.birth.store(Birth::new(self.site(), key).to_bits(), Relaxed);
            self.start_ranges();
            self.generation.store(key.generation(), Release);
        }
        self.stamp.store(state.to_bits(), Release);
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
        // The recorder of the new recording passes over this slot until the generation is set.
        for counter in
            [&self.allocs, &self.frees, &self.reallocs, &self.net_bytes, &self.largest_bytes]
        {
            counter.store(0, Relaxed);
        }
        self.death.store(0, Relaxed);
        let Some(detail) = self.detail.get() else { return };
        detail.cells.iter().filter_map(Link::get).flatten().for_each(Cell::clear);
        if let Some(growth) = detail.growth.get() {
            growth.written.store(0, Relaxed);
        }
        detail.object_variance.store(0, Relaxed);
        detail.byte_variance.store(0, Relaxed);
    }

    fn death_cell(&self, arena: &Arena, birth: Birth) -> Option<&'static Cell> {
        if self.death.load(Relaxed) == birth.to_bits() {
            return self.death_cell.get();
        }
        let cell = self.cell(arena, birth.key().bucket())?;
        self.death_cell.set(Some(cell));
        self.death.store(birth.to_bits(), Relaxed);
        Some(cell)
    }

    fn cell(&self, arena: &Arena, bucket: Bucket) -> Option<&'static Cell> {
        let at = bucket.0 as usize;
        let link = self.detail(arena)?.cells.get(at / CELLS_PER_CHUNK)?;
        if link.get().is_none() {
            link.set(Some(arena.one()?));
        }
        link.get()?.get(at % CELLS_PER_CHUNK)
    }

    fn detail(&self, arena: &Arena) -> Option<&'static SlotDetail> {
        if self.detail.get().is_none() {
            self.detail.set(Some(arena.one()?));
        }
        self.detail.get()
    }

    fn note_size(&self, around: Surroundings, bucket: Bucket, bytes: u64) {
        if bytes <= self.largest_bytes.load(Relaxed) {
            return;
        }
        self.largest_bytes.store(bytes, Relaxed);
        if bytes < GROWTH_FLOOR_BYTES {
            return;
        }
        let Some(detail) = self.detail(around.arena) else { return };
        if detail.growth.get().is_none() {
            let Some(ring) = around.arena.one() else { return };
            detail.growth.set(Some(ring));
        }
        let Some(ring) = detail.growth.get() else { return };
        // A fifth more than the last is what counts as growth.
        let last = ring.last_bytes();
        if bytes >= last.saturating_add(last / 5) {
            ring.push(bucket, bytes, around.work);
        }
    }
}

impl GrowthRing {
    fn last_bytes(&self) -> u64 {
        let last = self.written.load(Relaxed).checked_sub(1);
        let last = last.and_then(|last| self.bytes.get(last as usize % GROWTH_EVENTS));
        last.map_or(0, |bytes| bytes.load(Relaxed))
    }

    fn push(&self, bucket: Bucket, bytes: u64, work: &WorkCounters) {
        let written = self.written.load(Relaxed);
        let at = written as usize % GROWTH_EVENTS;
        // Who sees any of what follows sees that the events before it are complete.
        fence(Release);
        if let Some(to) = self.bytes.get(at) {
            to.store(bytes, Relaxed);
        }
        if let Some(to) = self.bucket.get(at) {
            to.store(bucket.0, Relaxed);
        }
        for (to, from) in self.work.get(at).into_iter().flatten().zip(work) {
            to.store(from.load(Relaxed), Relaxed);
        }
        self.written.store(written.wrapping_add(1), Release);
    }
}

#[inline]
fn raise(max: &AtomicU64, to: u64) {
    if (to as i64) > max.load(Relaxed) as i64 {
        max.store(to, Relaxed);
    }
}

#[inline]
fn lower(min: &AtomicU64, to: u64) {
    if (to as i64) < min.load(Relaxed) as i64 {
        min.store(to, Relaxed);
    }
}

// --- the reading side: the recorder thread ---------------------------------------------------

/// One thread's view of one site, for the recorder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SlotView(&'static SiteSlot);

/// What a thread last saw of a site's net counts since the epoch began; may be negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ranges {
    pub(crate) objects: (i64, i64),
    pub(crate) bytes: (i64, i64),
}

/// A block that outgrew all before it at its site and thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GrowthEvent {
    pub(crate) bucket: Bucket,
    pub(crate) bytes: u64,
    pub(crate) work: Vec<u64>,
}

/// Every slot of a thread that counts in this recording, with its site, of the first `n_sites`.
pub(crate) fn views(
    chunks: &SlotChunks,
    generation: u32,
    n_sites: usize,
) -> impl Iterator<Item = (SiteIndex, SlotView)> {
    chunks
        .iter()
        .take(n_sites.div_ceil(SLOTS_PER_CHUNK))
        .enumerate()
        .filter_map(|(at, chunk)| Some((at, chunk.get()?)))
        .flat_map(|(at, slots)| {
            let first = at * SLOTS_PER_CHUNK;
            slots.iter().enumerate().map(move |(i, slot)| (SiteIndex((first + i) as u32), slot))
        })
        .filter(move |(_, slot)| slot.generation.load(Acquire) == generation)
        .map(|(site, slot)| (site, SlotView(slot)))
}

/// One thread's view of one site.
pub(crate) fn view(chunks: &SlotChunks, generation: u32, site: SiteIndex) -> Option<SlotView> {
    let slot = find(chunks, site)?;
    (slot.generation.load(Acquire) == generation).then_some(SlotView(slot))
}

impl SlotView {
    /// Grows with everything counted here: if the sum over threads stands still, nothing
    /// happened at the site.
    pub(crate) fn n_events(self) -> u64 {
        [&self.0.allocs, &self.0.frees, &self.0.reallocs]
            .map(|counter| counter.load(Acquire))
            .into_iter()
            .fold(0, u64::wrapping_add)
    }

    pub(crate) fn largest_bytes(self) -> u64 {
        self.0.largest_bytes.load(Relaxed)
    }

    pub(crate) fn n_reallocs(self) -> u64 {
        self.0.reallocs.load(Acquire)
    }

    /// Deaths by bucket up to `end`, where there are any: objects and bytes. To be read, over all
    /// threads, before the births.
    pub(crate) fn deaths(self, end: Bucket, each: impl FnMut(Bucket, u64, u64)) {
        self.counts(end, Cell::deaths, each);
    }

    /// Births by bucket up to `end`, where there are any: objects and bytes.
    pub(crate) fn births(self, end: Bucket, each: impl FnMut(Bucket, u64, u64)) {
        self.counts(end, Cell::births, each);
    }

    /// The ranges since the epoch of `state` began.
    pub(crate) fn ranges(self, state: State) -> Ranges {
        let slot = self.0;
        let (objects, bytes) = (slot.net_objects() as i64, slot.net_bytes.load(Relaxed) as i64);
        if State::from_bits(slot.stamp.load(Acquire)).tick() != state.tick() {
            return Ranges { objects: (objects, objects), bytes: (bytes, bytes) };
        }
        let at = |range: &AtomicU64| range.load(Relaxed) as i64;
        Ranges {
            objects: (at(&slot.min_objects).min(objects), at(&slot.max_objects).max(objects)),
            bytes: (at(&slot.min_bytes).min(bytes), at(&slot.max_bytes).max(bytes)),
        }
    }

    /// The last growth events, oldest first; without those that were overwritten while they were read.
    pub(crate) fn growth(self) -> Vec<GrowthEvent> {
        let Some(ring) = self.0.detail.get().and_then(|detail| detail.growth.get()) else {
            return Vec::new();
        };
        let written = ring.written.load(Acquire);
        let mut events: Vec<_> = (written.saturating_sub(GROWTH_EVENTS as u64)..written)
            .filter_map(|n| {
                let at = n as usize % GROWTH_EVENTS;
                let work = ring.work.get(at)?.iter().map(|work| work.load(Relaxed)).collect();
                let bucket = Bucket(ring.bucket.get(at)?.load(Relaxed));
                let bytes = ring.bytes.get(at)?.load(Relaxed);
                Some((n, GrowthEvent { bucket, bytes, work }))
            })
            .collect();
        fence(Acquire);
        // Event number `now` may be under way, in the place of the one a round before it.
        let now = ring.written.load(Relaxed);
        events.retain(|(n, _)| n + GROWTH_EVENTS as u64 > now);
        events.into_iter().map(|(_, event)| event).collect()
    }

    fn counts(
        self,
        end: Bucket,
        of: impl Fn(&Cell) -> (u64, u64),
        mut each: impl FnMut(Bucket, u64, u64),
    ) {
        let Some(detail) = self.0.detail.get() else { return };
        let chunks = end.0 as usize / CELLS_PER_CHUNK + 1;
        for (at, chunk) in detail.cells.iter().take(chunks).enumerate() {
            for (i, cell) in chunk.get().into_iter().flatten().enumerate() {
                let (objects, bytes) = of(cell);
                if (objects, bytes) != (0, 0) {
                    each(Bucket((at * CELLS_PER_CHUNK + i) as u32), objects, bytes);
                }
            }
        }
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
        let around = Surroundings { arena: &ARENA, work: &WORK };
        let slot: &SiteSlot = ARENA.one().expect("memory");
        let state = StateCell::new();
        state.decide(Phase::Armed);
        assert!(!slot.is_ready(state.load(), 8), "nothing is recorded");
        state.begin(1);
        let changes: [(&str, Change); 4] = [
            ("an epoch", |state| state.advance(Epoch(1))),
            ("an unload", |state| state.note_unloads(1)),
            ("the end", StateCell::end),
            ("a new recording", |state| state.begin(2)),
        ];
        for (change, happens) in changes {
            if state.load().is_recording() {
                slot.birth(around, state.load(), 8).expect("memory");
                assert!(slot.is_ready(state.load(), 8), "before {change}");
                assert!(!slot.is_ready(state.load(), 9), "larger than any before {change}");
            }
            happens(&state);
            assert!(!slot.is_ready(state.load(), 8), "after {change}");
        }
    }
}
