//! The slots of sites that many threads touch rarely: counted in by one thread at a time.
//!
//! A thread that has no slot of its own for a site claims one of these for a single count and gives it
//! back at once ([`crate::shared::pool`]). So a slot has one writer at any time, and what is said of
//! counters in [`crate::shared::cohort`] holds here as well; but there is one slot for all threads, or a
//! few if several count at that site at the same instant, or if a signal handler came between.

#![forbid(unsafe_code)]

use super::growth::GrowthRing;
use super::slot::SiteSlot;
use crate::shared::arena::{Arena, Link, RowLink, zeroed};
use crate::shared::cohort::Moves;
use crate::shared::pool::{self, Node, Pool};
use crate::shared::trailer::SiteIndex;
use crate::sync::AtomicU32;

zeroed! {
    /// A slot that belongs to whoever claimed it.
    #[derive(Debug)]
    pub(crate) struct SharedSlot {
        owner: AtomicU32,
        next: Link<SharedSlot>,
        /// Of cohorts from slots of threads' own.
        moves: Moves,
        slot: SiteSlot,
    }
}

impl Node for SharedSlot {
    fn owner(&self) -> &AtomicU32 {
        &self.owner
    }

    fn next(&self) -> &Link<Self> {
        &self.next
    }
}

/// The shared slots of every site. One per process.
#[derive(Debug)]
pub(crate) struct SharedSlots {
    by_site: RowLink<Pool<SharedSlot>>,
}

/// A shared slot, for as long as one count takes.
#[derive(Debug)]
pub(super) struct ClaimedSlot(&'static SharedSlot);

impl ClaimedSlot {
    pub(super) fn slot(&self) -> &'static SiteSlot {
        &self.0.slot
    }

    pub(super) fn moves(&self) -> &'static Moves {
        &self.0.moves
    }
}

impl Drop for ClaimedSlot {
    fn drop(&mut self) {
        pool::release(self.0);
    }
}

impl SharedSlots {
    /// Without a place for any site.
    pub(crate) const fn new() -> Self {
        Self { by_site: RowLink::nothing() }
    }

    /// Makes places for so many sites; `None` without memory. Only one thread may, and once.
    pub(crate) fn make(&self, arena: &Arena, n_sites: usize) -> Option<()> {
        self.by_site.set(arena.row(n_sites)?);
        Some(())
    }

    /// A slot of the site for the caller alone; `None` without memory.
    pub(super) fn claim(&self, arena: &Arena, site: SiteIndex) -> Option<ClaimedSlot> {
        let claimed = ClaimedSlot(self.of_site(site)?.claim(arena)?);
        claimed.slot().belong_to(site);
        Some(claimed)
    }

    /// Any slot of the site, to remember that its blocks count in such slots. It is valid for no state,
    /// so nobody counts in it who has not claimed it. `None` without memory.
    pub(super) fn any(&self, arena: &Arena, site: SiteIndex) -> Option<&'static SiteSlot> {
        let known = self.of(site).find(|slot| slot.site() == site);
        known.or_else(|| Some(self.claim(arena, site)?.slot()))
    }

    /// All slots of the site.
    pub(super) fn of(&self, site: SiteIndex) -> impl Iterator<Item = &'static SiteSlot> + use<> {
        self.nodes(site).map(|shared| &shared.slot)
    }

    /// How often counts moved into the slots of the site; `None` while some do.
    pub(super) fn n_moves(&self, site: SiteIndex, generation: u32) -> Option<u64> {
        // In a forked child a move of its parent's may stay under way for ever, in the parent's recording.
        let nodes = self.nodes(site).filter(|shared| shared.slot.generation() == generation);
        nodes
            .map(|shared| shared.moves.so_far())
            .try_fold(0u64, |sum, n| Some(sum.wrapping_add(n?)))
    }

    fn of_site(&self, site: SiteIndex) -> Option<&'static Pool<SharedSlot>> {
        self.by_site.get()?.get(site.0 as usize)
    }

    fn nodes(&self, site: SiteIndex) -> impl Iterator<Item = &'static SharedSlot> + use<> {
        self.of_site(site).into_iter().flat_map(Pool::all)
    }

    /// The size of the last block that outgrew all before it at the site, in this recording; 0 if none
    /// did. What grew is noted in shared slots only, whoever saw it.
    pub(super) fn last_growth_bytes(&self, site: SiteIndex, generation: u32) -> u64 {
        let slots = self.of(site).filter(|slot| slot.generation() == generation);
        slots.filter_map(SiteSlot::growth).map(GrowthRing::last_bytes).max().unwrap_or(0)
    }
}
