//! The reading side: what the recorder thread sees of the counters that other threads write.

#![forbid(unsafe_code)]

use heaptide_format::Bucket;

use super::growth::{GrowthEvent, GrowthRing};
use super::own::OwnSlots;
use super::shared::SharedSlots;
use super::slot::SiteSlot;
use crate::shared::cohort::CohortCounts;
use crate::shared::state::State;
use crate::shared::trailer::SiteIndex;
use crate::sync::AtomicU64;
use crate::sync::Ordering::{Acquire, Relaxed};

/// A slot, one thread's own or shared, as the recorder sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SlotView(&'static SiteSlot);

/// What was last seen in a slot of a site's net counts since the epoch began; may be negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ranges {
    pub(crate) objects: (i64, i64),
    pub(crate) bytes: (i64, i64),
}

/// The slot of a site that counts in this recording, if the thread has one.
pub(crate) fn view(own: &OwnSlots, generation: u32, site: SiteIndex) -> Option<SlotView> {
    own.get(site).filter(|slot| slot.generation() == generation).map(SlotView)
}

/// The shared slots of a site that count in this recording.
pub(crate) fn shared_views(
    shared: &SharedSlots,
    generation: u32,
    site: SiteIndex,
) -> impl Iterator<Item = SlotView> + use<> {
    shared.of(site).filter(move |slot| slot.generation() == generation).map(SlotView)
}

/// How often counts of a site moved into its shared slots; `None` while some do.
pub(crate) fn n_moves(shared: &SharedSlots, generation: u32, site: SiteIndex) -> Option<u64> {
    shared.n_moves(site, generation)
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
        self.0.largest.bytes()
    }

    pub(crate) fn n_reallocs(self) -> u64 {
        self.0.reallocs.load(Acquire)
    }

    /// Frees by bucket up to `end`, where there are any: objects and bytes. To be read, over all
    /// slots, before the allocations.
    pub(crate) fn frees(self, end: Bucket, each: impl FnMut(Bucket, u64, u64)) {
        self.counts(end, CohortCounts::frees, each);
    }

    /// Allocations by bucket up to `end`, where there are any: objects and bytes.
    pub(crate) fn allocs(self, end: Bucket, each: impl FnMut(Bucket, u64, u64)) {
        self.counts(end, CohortCounts::allocs, each);
    }

    /// The ranges since the epoch of `state` began.
    pub(crate) fn ranges(self, state: State) -> Ranges {
        let slot = self.0;
        let (objects, bytes) = (slot.net_objects() as i64, slot.net_bytes.load(Relaxed) as i64);
        let seen = State::from_bits(slot.valid_for.load(Acquire));
        if (seen.key(), seen.tick()) != (state.key(), state.tick()) {
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
        self.0.growth().map_or_else(Vec::new, GrowthRing::events)
    }

    /// This slot's share of the variances of live objects and bytes; negative, in two's
    /// complement, where blocks of other threads end.
    pub(crate) fn variances(self) -> (u64, u64) {
        let detail = self.0.detail.get();
        detail.map_or((0, 0), |detail| {
            (detail.object_variance.load(Acquire), detail.byte_variance.load(Acquire))
        })
    }

    fn counts(
        self,
        end: Bucket,
        of: impl Fn(&CohortCounts) -> (u64, u64),
        mut each: impl FnMut(Bucket, u64, u64),
    ) {
        for node in self.0.all_cohorts() {
            // Before the counts: whoever sees a count must see its bucket.
            let bucket = node.bucket();
            if bucket > end {
                continue;
            }
            let (objects, bytes) = of(node.counts());
            if (objects, bytes) != (0, 0) {
                each(bucket, objects, bytes);
            }
        }
    }
}
