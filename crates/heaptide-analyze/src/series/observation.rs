//! What the snapshots of one slot see of a site.

use heaptide_format::{Growth, SiteRow};

use super::cohorts::SlotCohort;
use super::totals::Totals;

/// The fewest live blocks and bytes in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trough {
    pub(super) objects: u64,
    pub(super) bytes: u64,
}

impl Trough {
    pub(super) fn of(row: &SiteRow) -> Self {
        let least =
            |range: Option<(u64, u64)>, live: u64| range.map_or(live, |(least, _)| least.min(live));
        Self {
            objects: least(row.objects_range, row.live_objects),
            bytes: least(row.bytes_range, row.live_bytes),
        }
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self { objects: self.objects.min(other.objects), bytes: self.bytes.min(other.bytes) }
    }
}

/// A site as the snapshots of one slot saw it: what its last row says, and the troughs of all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SlotObservation<'a> {
    pub(crate) totals: Totals,
    pub(crate) cohorts: &'a [SlotCohort],
    pub(super) growth: &'a [Growth],
    pub(super) trough: Trough,
}
