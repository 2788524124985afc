//! The second pass for a verdict: all rows of one slot at a time.
//!
//! A series needs one row per site and slot, the last, and the fewest live blocks in between. So a
//! slot is boiled down to that, from its last snapshot backwards, so that of all rows but the last
//! little need be read; and slots can be read side by side.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;

use heaptide_format::{SiteId, SiteRow};

use super::error::Cause;
use super::rows::TakeRows;
use crate::axis::Axis;
use crate::series::Sight;

/// The snapshots that one slot joins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) points: Range<usize>,
    /// `None` for those that are not judged.
    pub(super) slot: Option<usize>,
}

/// Splits `n_points` snapshots by slot.
pub(super) fn spans(axis: &Axis, n_points: usize) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for k in 0..n_points {
        let slot = axis.slot_of_point(k);
        match spans.last_mut() {
            Some(span) if span.slot == slot => span.points.end = k + 1,
            _ => spans.push(Span { points: k..k + 1, slot }),
        }
    }
    spans
}

/// What the snapshots of one slot say.
#[derive(Debug, Default)]
pub(super) struct SlotRows {
    pub(super) sights: HashMap<SiteId, Sight>,
    /// Damaged lines, by point, backwards.
    pub(super) damage: Vec<(usize, Cause)>,
}

impl TakeRows for SlotRows {
    fn skims(&self, site: SiteId) -> bool {
        self.sights.contains_key(&site)
    }

    /// Rows of one site come backwards.
    fn take(&mut self, row: SiteRow) {
        match self.sights.entry(row.site) {
            Entry::Vacant(last) => {
                last.insert(Sight::new(row));
            }
            Entry::Occupied(mut later) => later.get_mut().add_earlier(&row),
        }
    }
}
