//! Which sites changed since the recorder looked last: the seam *counters*.
//!
//! A mark for each site, so that a snapshot need not look at the counters of every site there is. Who
//! counts sets it ([`Changes::note`]) after the count, and the recorder takes it back
//! ([`Changes::take`]) before it reads the counters: so of each count the recorder sees the count itself, or
//! a mark the next time. A loom model holds this (`shared/loom_models.rs`).
//!
//! The quick way of counting sets no mark. It is open to a slot from the first count of an epoch to the
//! epoch's end, and that first one has set it. So whoever takes marks looks again, the next time, at the
//! sites that it took them of: they may have counted on, the quick way, after they were read.

#![forbid(unsafe_code)]

use crate::shared::arena::{Arena, RowLink};
use crate::shared::trailer::SiteIndex;
use crate::sync::AtomicU32;
use crate::sync::Ordering::{Acquire, Relaxed, Release};

const UNCHANGED: u32 = 0;
const CHANGED: u32 = 1;

/// The marks of every site. One per process.
#[derive(Debug)]
pub(crate) struct Changes {
    by_site: RowLink<AtomicU32>,
}

impl Changes {
    /// Without a place for any site.
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        Self { by_site: RowLink::nothing() }
    }

    /// Makes places for so many sites; `None` without memory. Only one thread may, and once.
    pub(crate) fn make(&self, arena: &Arena, n_sites: usize) -> Option<()> {
        self.by_site.set(arena.row(n_sites)?);
        Some(())
    }

    /// Notes that something was counted at the site.
    pub(crate) fn note(&self, site: SiteIndex) {
        if let Some(mark) = self.marks().get(site.0 as usize) {
            note(mark);
        }
    }

    /// Takes the marks of the first `n_sites` sites: those that had one, in their order.
    pub(crate) fn take(&self, n_sites: usize) -> impl Iterator<Item = SiteIndex> {
        let marks = self.marks().iter().take(n_sites).enumerate();
        marks.filter(|(_, mark)| take(mark)).map(|(at, _)| SiteIndex(at as u32))
    }

    fn marks(&self) -> &'static [AtomicU32] {
        self.by_site.get().unwrap_or(&[])
    }
}

/// Not only if there is no mark yet: one that is about to be taken may have been seen by the recorder
/// before what was counted now. By a swap: loom orders no store with the swaps of others.
pub(super) fn note(mark: &AtomicU32) {
    mark.swap(CHANGED, Release);
}

/// Whether there was a mark. Who is told so sees what was counted before it.
pub(super) fn take(mark: &AtomicU32) -> bool {
    mark.load(Relaxed) == CHANGED && mark.swap(UNCHANGED, Acquire) == CHANGED
}
