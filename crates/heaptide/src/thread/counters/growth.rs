//! Growth of containers: which blocks outgrew all before them at one site.

#![forbid(unsafe_code)]

use heaptide_format::Bucket;

use crate::shared::arena::zeroed;
use crate::shared::labels::WorkCounters;
use crate::shared::trailer::SiteIndex;
use crate::sync::Ordering::{Acquire, Relaxed, Release};
use crate::sync::{AtomicU32, AtomicU64, fence};

/// Growth events kept per site. Each is a fifth larger than the one before, so eight cover
/// growth to more than four times.
const GROWTH_EVENTS: usize = 8;
/// Blocks below this size are not watched for growth: no container worth a finding is smaller.
pub(super) const GROWTH_FLOOR_BYTES: u64 = 256;

zeroed! {
    /// The last few blocks that outgrew all before them at their site.
    #[derive(Debug)]
    pub(crate) struct GrowthRing {
        written: AtomicU64,
        bytes: [AtomicU64; GROWTH_EVENTS],
        bucket: [AtomicU32; GROWTH_EVENTS],
        site: [AtomicU32; GROWTH_EVENTS],
        work: [WorkCounters; GROWTH_EVENTS],
    }
}

/// A block that outgrew all before it at its site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GrowthEvent {
    pub(crate) bucket: Bucket,
    pub(crate) bytes: u64,
    /// The site that resized it to this size; none if it was made so large, or nobody knows.
    pub(crate) grown_at: SiteIndex,
    pub(crate) work: Vec<u64>,
}

/// A fifth more than the last is what counts as growth.
pub(super) fn is_growth(bytes: u64, last_bytes: u64) -> bool {
    bytes >= last_bytes.saturating_add(last_bytes / 5)
}

impl GrowthRing {
    /// Back to nothing.
    pub(super) fn clear(&self) {
        self.written.store(0, Relaxed);
    }

    pub(super) fn last_bytes(&self) -> u64 {
        let last = self.written.load(Relaxed).checked_sub(1);
        let last = last.and_then(|last| self.bytes.get(last as usize % GROWTH_EVENTS));
        last.map_or(0, |bytes| bytes.load(Relaxed))
    }

    pub(super) fn push(
        &self,
        bucket: Bucket,
        bytes: u64,
        grown_at: SiteIndex,
        work: &WorkCounters,
    ) {
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
        if let Some(to) = self.site.get(at) {
            to.store(grown_at.0, Relaxed);
        }
        for (to, from) in self.work.get(at).into_iter().flatten().zip(work) {
            to.store(from.load(Relaxed), Relaxed);
        }
        self.written.store(written.wrapping_add(1), Release);
    }

    /// The last growth events, oldest first; without those that were overwritten while they were read.
    pub(super) fn events(&self) -> Vec<GrowthEvent> {
        let written = self.written.load(Acquire);
        let mut events: Vec<_> = (written.saturating_sub(GROWTH_EVENTS as u64)..written)
            .filter_map(|n| {
                let at = n as usize % GROWTH_EVENTS;
                let work = self.work.get(at)?.iter().map(|work| work.load(Relaxed)).collect();
                let bucket = Bucket(self.bucket.get(at)?.load(Relaxed));
                let bytes = self.bytes.get(at)?.load(Relaxed);
                let grown_at = SiteIndex(self.site.get(at)?.load(Relaxed));
                Some((n, GrowthEvent { bucket, bytes, grown_at, work }))
            })
            .collect();
        fence(Acquire);
        // Event number `now` may be under way, in the place of the one a round before it.
        let now = self.written.load(Relaxed);
        events.retain(|(n, _)| n + GROWTH_EVENTS as u64 > now);
        events.into_iter().map(|(_, event)| event).collect()
    }
}
