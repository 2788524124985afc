//! The second pass for a verdict: all rows of one slot at a time.
//!
//! A series needs one row per site and slot, the last, and the fewest live blocks in between. So a
//! slot is boiled down to that, from its last snapshot backwards, so that of all rows but the last
//! little need be read; and slots can be read side by side.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;

use heaptide_format::{Epoch, Error as LineError, Growth, SiteId, SiteRow};

use super::cohorts::{SlotCohort, push_cohorts};
use super::observation::{SlotObservation, Trough};
use super::totals::Totals;
use crate::axis::Axis;
use crate::load::{Contradiction, TakeRows, of_row};

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
#[derive(Debug)]
pub(crate) struct SlotRows<'a> {
    axis: &'a Axis,
    sites: Vec<SiteInSlot>,
    index_by_site: HashMap<SiteId, usize>,
    /// Of all sites one after another: a few large allocations, not one for each.
    cohorts: Vec<SlotCohort>,
    growth: Vec<Growth>,
    /// Damaged lines, by point, backwards.
    pub(super) damage: Vec<(usize, LineError)>,
    /// Rows that contradict themselves, by point, backwards; the first few.
    pub(super) contradictions: Vec<(usize, Contradiction)>,
    /// The snapshot whose rows come.
    point: (usize, Epoch),
    /// The last of the slot.
    pub(super) last_point: usize,
    /// Cohorts add up: no block's trailer was overwritten in this run.
    has_sums: bool,
}

/// Enough to see what they have in common.
const MOST_CONTRADICTIONS: usize = 5;

/// One site; its cohorts and growth end here, where those of the next begin.
#[derive(Debug)]
struct SiteInSlot {
    site: SiteId,
    totals: Totals,
    trough: Trough,
    cohorts_end: usize,
    growth_end: usize,
}

impl<'a> SlotRows<'a> {
    pub(super) fn new(axis: &'a Axis, has_sums: bool) -> Self {
        Self {
            axis,
            sites: Vec::new(),
            index_by_site: HashMap::new(),
            cohorts: Vec::new(),
            growth: Vec::new(),
            damage: Vec::new(),
            contradictions: Vec::new(),
            point: (0, Epoch::default()),
            last_point: 0,
            has_sums,
        }
    }

    /// The next rows are of this snapshot.
    pub(super) fn begin(&mut self, k: usize, epoch: Epoch) {
        self.point = (k, epoch);
        self.last_point = self.last_point.max(k);
    }

    fn check(&mut self, row: &SiteRow, is_skimmed: bool) {
        let (k, epoch) = self.point;
        if let Some(wrong) = of_row(row, epoch, self.has_sums && !is_skimmed)
            && self.contradictions.len() < MOST_CONTRADICTIONS
        {
            self.contradictions.push((k, wrong));
        }
    }

    pub(crate) fn observations(&self) -> impl Iterator<Item = (SiteId, SlotObservation<'_>)> {
        let (mut cohorts_start, mut growth_start) = (0, 0);
        self.sites.iter().map(move |site| {
            let cohorts = &self.cohorts[cohorts_start..site.cohorts_end];
            let growth = &self.growth[growth_start..site.growth_end];
            (cohorts_start, growth_start) = (site.cohorts_end, site.growth_end);
            let (totals, trough) = (site.totals, site.trough);
            (site.site, SlotObservation { totals, cohorts, growth, trough })
        })
    }
}

impl TakeRows for SlotRows<'_> {
    fn skims(&self, site: SiteId) -> bool {
        self.index_by_site.contains_key(&site)
    }

    /// Rows of one site come backwards.
    fn take(&mut self, row: &SiteRow) {
        self.check(row, self.skims(row.site));
        match self.index_by_site.entry(row.site) {
            Entry::Vacant(last) => {
                last.insert(self.sites.len());
                push_cohorts(&mut self.cohorts, self.axis, &row.cohorts);
                self.growth.extend_from_slice(&row.growth);
                self.sites.push(SiteInSlot {
                    site: row.site,
                    totals: Totals::of(self.axis, row),
                    trough: Trough::of(row),
                    cohorts_end: self.cohorts.len(),
                    growth_end: self.growth.len(),
                });
            }
            Entry::Occupied(later) => {
                let trough = &mut self.sites[*later.get()].trough;
                *trough = trough.and(Trough::of(row));
            }
        }
    }
}
