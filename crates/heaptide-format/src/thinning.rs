//! Dropping snapshots of a recording without losing what their rows said.
//!
//! Rows are absolute, so a row of a dropped snapshot is only needed if the next kept one has none for
//! the same site: it then moves there, and the range of a site that has rows in both covers both. What
//! is kept reads as if the dropped snapshots had never been taken.

use std::collections::BTreeMap;

use crate::ids::{Epoch, SiteId};
use crate::snapshot::{SiteRow, Snapshot};

impl Epoch {
    /// Whether the snapshot that closes this epoch stays when one in `stride` does, a power of two: it
    /// closes the last epoch of a bucket that is at least as wide as the stride. Births are counted by
    /// bucket, so these are the ones that can be told apart; the others would all have to be judged
    /// together.
    pub fn stays(self, stride: u64) -> bool {
        (u64::from(self.0) + 1).is_multiple_of(stride)
    }
}

impl Snapshot {
    /// Takes the rows that only `dropped` has, the snapshot before this one, and the low and high water
    /// of both.
    pub fn inherit(&mut self, dropped: Self) {
        let mut rows: BTreeMap<SiteId, SiteRow> =
            dropped.sites.into_iter().map(|row| (row.site, row)).collect();
        for mut row in self.sites.drain(..) {
            if let Some(before) = rows.get(&row.site) {
                row.objects_range = cover(objects(&row), objects(before));
                row.bytes_range = cover(bytes(&row), bytes(before));
            }
            rows.insert(row.site, row);
        }
        self.sites = rows.into_values().collect();
    }
}

/// The low and high water of a span, if it moved, and the value at its end.
type Water = (Option<(u64, u64)>, u64);

fn objects(row: &SiteRow) -> Water {
    (row.objects_range, row.live_objects)
}

fn bytes(row: &SiteRow) -> Water {
    (row.bytes_range, row.live_bytes)
}

/// The low and high water of two spans, if it moved.
fn cover((range, live): Water, (range_before, live_before): Water) -> Option<(u64, u64)> {
    let now = range.unwrap_or((live, live));
    let before = range_before.unwrap_or((live_before, live_before));
    let both = (now.0.min(before.0), now.1.max(before.1));
    (both != (live, live)).then_some(both)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cohort::{BUCKETS, Bucket};

    /// Wherever a bucket is as wide as the stride or narrower, what stays ends one.
    #[test]
    fn what_stays_ends_a_bucket() {
        for stride in (0..8).map(|power| 1u64 << power) {
            let ends_bucket = |epoch: u32| Bucket::of(Epoch(epoch)) != Bucket::of(Epoch(epoch + 1));
            let kept = (1..4096).filter(|&epoch| Epoch(epoch).stays(stride));
            let kept: Vec<u32> =
                kept.filter(|&epoch| Bucket::of(Epoch(epoch)).0 < BUCKETS).collect();
            // A bucket is as wide as the stride from this epoch on.
            let wider = 32 * stride as u32;
            assert_eq!(kept.len() as u64, 4096 / stride - u64::from(stride == 1), "{stride}");
            assert!(kept.iter().filter(|&&epoch| epoch < wider).all(|&epoch| ends_bucket(epoch)));
        }
    }
}
