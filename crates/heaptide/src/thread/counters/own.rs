//! The slots that are a thread's own, and which it may have.
//!
//! A slot of its own makes a thread quick at a site, and costs memory for that thread and that site.
//! So while all threads together have few, each gets one for every site that it meets. From then on a
//! thread gets more by one in so many of its events at sites where it has none: soon where it is often,
//! hardly ever where it is not. At the budget it gets none. Without one it counts in a slot that threads
//! share ([`super::shared`]), which is slower and no less exact.

#![forbid(unsafe_code)]

use super::shared::SharedSlots;
use super::slot::{SiteSlot, SlotMemory};
use crate::shared::arena::{Arena, Link, zeroed};
use crate::shared::budget::Budget;
use crate::shared::changes::Changes;
use crate::shared::labels::WorkCounters;
use crate::shared::state::StateCell;
use crate::shared::trailer::{MAX_SITES, SiteIndex};
use crate::sync::Ordering::Relaxed;
use crate::sync::{AtomicU64, add};

/// Slots are made 16 at a time, half a page of them: sites that a thread meets together have neighbouring
/// numbers.
const SLOTS_PER_CHUNK: usize = 16;
const CHUNK_BYTES: u64 = size_of::<SlotChunk>() as u64;
/// The first eighth of the budget is had for the asking, by default for 49,152 slots: so that what is not
/// large counts as quickly as it can from the first block on.
const SHARE_AT_ONCE: u64 = 8;
/// Beyond that one event in so many, of a thread at sites where it has no slot, brings it one.
const EVENTS_PER_CHUNK: u64 = 64;

zeroed! {
    /// Neighbouring slots of one thread.
    #[derive(Debug)]
    #[repr(C, align(128))]
    pub(crate) struct SlotChunk {
        pub(super) slots: [SiteSlot; SLOTS_PER_CHUNK],
    }
}

zeroed! {
    /// The slots of one thread, by site.
    #[derive(Debug)]
    #[repr(C)]
    pub(crate) struct OwnSlots {
        pub(super) chunks: [Link<SlotChunk>; MAX_SITES / SLOTS_PER_CHUNK],
        /// Events at sites where there was no slot, since slots are not had for the asking.
        n_shared: AtomicU64,
    }
}

/// What counting needs beside the thread's own: the state as it is now, memory, the slots that threads
/// share, the marks of what changed, and the work done so far.
#[derive(Debug)]
pub(crate) struct CountContext {
    pub(crate) state: &'static StateCell,
    pub(crate) arena: &'static Arena,
    pub(crate) budget: &'static Budget,
    /// What the slots of all threads take of the budget.
    pub(crate) own_slot_bytes: &'static AtomicU64,
    pub(crate) shared: &'static SharedSlots,
    /// Where the recorder is told what changed.
    pub(crate) changes: &'static Changes,
    pub(crate) work: &'static WorkCounters,
}

impl CountContext {
    /// Where own slots have their memory from.
    pub(super) fn own_memory(&self) -> SlotMemory {
        SlotMemory::within(self.arena, self.budget)
    }

    /// Where shared slots have their memory from: they are as many as the sites.
    pub(super) fn shared_memory(&self) -> SlotMemory {
        SlotMemory::shared(self.arena)
    }

    /// Where blocks of the site count that the thread makes: in its own slot, or else in those that
    /// threads share, of which this is one. `None` without memory.
    pub(crate) fn slot_for(&self, own: &OwnSlots, site: SiteIndex) -> Option<&'static SiteSlot> {
        own.get_or_make(self, site).or_else(|| self.shared.any(self.arena, site))
    }
}

impl OwnSlots {
    /// The slot of `site`, if the thread has one. It may never have been used.
    #[inline]
    pub(super) fn get(&self, site: SiteIndex) -> Option<&'static SiteSlot> {
        let site = site.0 as usize;
        self.chunks.get(site / SLOTS_PER_CHUNK)?.get()?.slots.get(site % SLOTS_PER_CHUNK)
    }

    /// The slot of `site`, made if the thread may have one.
    pub(crate) fn get_or_make(
        &self,
        context: &CountContext,
        site: SiteIndex,
    ) -> Option<&'static SiteSlot> {
        if self.get(site).is_none() && !self.may_have_more(context) {
            return None;
        }
        self.make(context.arena, site)
    }

    /// The slot of `site`; `None` without memory.
    pub(crate) fn make(&self, arena: &Arena, site: SiteIndex) -> Option<&'static SiteSlot> {
        let link = self.chunks.get(site.0 as usize / SLOTS_PER_CHUNK)?;
        if link.get().is_none() {
            link.set(Some(arena.one()?));
        }
        let slot = self.get(site)?;
        slot.belong_to(site);
        Some(slot)
    }

    fn may_have_more(&self, context: &CountContext) -> bool {
        let own_slot_bytes = context.own_slot_bytes;
        if own_slot_bytes.load(Relaxed) >= context.budget.limit_bytes() / SHARE_AT_ONCE {
            add(&self.n_shared, 1);
            if !self.n_shared.load(Relaxed).is_multiple_of(EVENTS_PER_CHUNK) {
                return false;
            }
        }
        let is_taken = context.budget.take(CHUNK_BYTES);
        if is_taken {
            own_slot_bytes.fetch_add(CHUNK_BYTES, Relaxed);
        }
        is_taken
    }
}
