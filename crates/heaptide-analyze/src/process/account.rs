//! What one snapshot says of the parts of a process: read part by part, or from what stands in all.

use heaptide_format::{Account, Parts};

use super::class::PartName;
use super::part::of_parts;
use super::readings::Judged;
use crate::timeline::Point;

/// The parts that are judged, where they were read.
const JUDGED: [PartName; 4] =
    [PartName::OtherMalloc, PartName::AllocatorFree, PartName::ThreadStacks, PartName::Anonymous];
/// What a small block takes in an allocator beyond its size, and what is recorded behind it.
const OVERHEAD_BYTES: f64 = 24.0;
/// A part is what grows if it explains so much of what grew outside the recorded heap, and not more
/// of it than there is.
const EXPLAINS: std::ops::Range<f64> = 0.75..1.25;

pub(super) fn parts(point: &Point) -> Option<&Parts> {
    point.account.as_ref()?.parts.as_ref()
}

pub(super) fn no_file_backs(account: &Account) -> u64 {
    let resident = account.anonymous_resident_bytes.saturating_add(account.shared_resident_bytes);
    resident.saturating_add(account.swap_bytes)
}

/// What stands in every snapshot: cheap to read, and of few parts.
#[derive(Clone, Copy, Debug)]
pub(super) struct EverySnapshot {
    /// What a recorded block takes in the allocator beyond its size.
    overhead_bytes: f64,
}

impl EverySnapshot {
    /// Blocks take as much more as they did when parts were last read.
    pub(super) fn new(judged: &Judged<'_>) -> Self {
        let overhead = |point: &&Point| {
            let more = parts(point)?.rust_heap_bytes.checked_sub(point.heap.live_bytes)?;
            (point.heap.live_objects > 0).then(|| more as f64 / point.heap.live_objects as f64)
        };
        let read = judged.points.iter().rev().find_map(overhead);
        Self { overhead_bytes: read.unwrap_or(OVERHEAD_BYTES) }
    }

    /// A part, as far as it is known.
    pub(super) fn part(self, name: PartName, point: &Point) -> Option<f64> {
        let account = point.account.as_ref()?;
        let heap = &point.heap;
        let rust = heap.live_bytes as f64 + self.overhead_bytes * heap.live_objects as f64;
        let ours = point.own_bytes as f64;
        match name {
            PartName::RustHeap => Some(rust),
            PartName::Anonymous => Some((no_file_backs(account) as f64 - rust - ours).max(0.0)),
            PartName::Files => Some(account.file_resident_bytes as f64),
            PartName::Shim => Some(ours),
            PartName::Swap => Some(account.swap_bytes as f64),
            PartName::OtherMalloc | PartName::AllocatorFree | PartName::ThreadStacks => None,
        }
    }

    /// Where parts were read in a few snapshots only: the one part that explains what grew outside the
    /// recorded heap between the first and the last of them, and the share of it. That holds of any
    /// two snapshots, also of those that are no evidence of a trend.
    pub(super) fn explaining(self, points: &[Point]) -> Option<(PartName, f64)> {
        let mut read = points.iter().filter_map(|point| Some((point, parts(point)?)));
        let ((first, then), (last, now)) = (read.next()?, read.next_back()?);
        let outside = |point| self.part(PartName::Anonymous, point);
        let grown = outside(last)? - outside(first)?;
        let share =
            |name: PartName| (of_parts(name, now) as f64 - of_parts(name, then) as f64) / grown;
        let found = JUDGED.into_iter().find(|name| EXPLAINS.contains(&share(*name)))?;
        (grown > 0.0).then(|| (found, share(found)))
    }
}
