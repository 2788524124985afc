//! One site over a run, summed up while its rows go by.
//!
//! A site without a row in a snapshot stands as its last row says; its blocks still grow older, so
//! silent slots are filled in, not skipped.

use heaptide_format::{Growth, HeapTotals, SiteRow};

use super::cohorts::{SlotCohort, add_cohort, objects, objects_born_in, push_cohorts};
use super::observation::{SlotObservation, Trough};
use super::totals::{Totals, sum_totals};
use crate::axis::Axis;

/// A site at the snapshot that closes one slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlotRow {
    /// Live blocks that were born after warm-up and are mature: `M` of the rule.
    pub mature_objects: u64,
    /// Live blocks that are mature, whenever born: `O` of the rule.
    pub old_objects: u64,
    /// The fewest live blocks in the slot.
    pub trough_objects: u64,
    /// The fewest live bytes in the slot.
    pub trough_bytes: u64,
}

/// The slot whose rows are being read, and its troughs so far.
#[derive(Clone, Copy, Debug, PartialEq)]
struct OpenSlot {
    slot: usize,
    trough: Trough,
}

/// One site over a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SiteSeries {
    first_slot: usize,
    rows: Vec<SlotRow>,
    cohorts: Vec<SlotCohort>,
    totals: Totals,
    growth: Vec<Growth>,
    mature_deaths: u64,
    /// The slot whose rows are being read.
    open: Option<OpenSlot>,
}

impl SiteSeries {
    /// A site that has not been seen yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the site's row in the run's `k`-th snapshot. Rows come in order; snapshots in which
    /// the site has none are left out.
    pub fn observe(&mut self, axis: &Axis, k: usize, row: &SiteRow) {
        let mut cohorts = Vec::new();
        push_cohorts(&mut cohorts, axis, &row.cohorts);
        let (totals, trough) = (Totals::of(axis, row), Trough::of(row));
        let seen = SlotObservation { totals, cohorts: &cohorts, growth: &row.growth, trough };
        self.observe_slot(axis, axis.slot_of_point(k), &seen);
    }

    /// Takes all that the snapshots of one slot saw of the site, at once; `None` are the snapshots
    /// that are not judged.
    pub(super) fn observe_slot(
        &mut self,
        axis: &Axis,
        slot: Option<usize>,
        seen: &SlotObservation<'_>,
    ) {
        let Some(slot) = slot else {
            self.totals.objects_at_exit = Some(seen.totals.counts.live_objects);
            return;
        };
        let trough = match self.open {
            Some(open) if open.slot == slot => open.trough.and(seen.trough),
            _ => {
                self.write_until(axis, slot);
                seen.trough
            }
        };
        self.open = Some(OpenSlot { slot, trough });
        self.take_cohorts(axis, slot, seen.cohorts);
        self.totals = seen.totals;
        if self.growth != seen.growth {
            self.growth = seen.growth.to_vec();
        }
    }

    /// Fills in the slots after the last row. Nothing may be observed afterwards.
    pub fn close(&mut self, axis: &Axis) {
        self.write_until(axis, axis.len());
    }

    /// Adds a closed series of the same run, of a site with the same identity.
    pub fn merge(&mut self, other: &Self) {
        for (slot, row) in other.rows() {
            *self.row_mut(slot) = sum_rows(self.row(slot), row);
        }
        for &cohort in &other.cohorts {
            add_cohort(&mut self.cohorts, 0, cohort);
        }
        if other.totals.largest_bytes > self.totals.largest_bytes {
            self.growth.clone_from(&other.growth);
        }
        self.mature_deaths = self.mature_deaths.saturating_add(other.mature_deaths);
        self.totals = sum_totals(&self.totals, &other.totals);
    }

    /// The site in one slot; all zero before it was first seen alive.
    pub fn row(&self, slot: usize) -> SlotRow {
        let index = slot.checked_sub(self.first_slot);
        index.and_then(|index| self.rows.get(index)).copied().unwrap_or_default()
    }

    /// All slots since the site was first seen alive.
    pub fn rows(&self) -> impl Iterator<Item = (usize, SlotRow)> + '_ {
        self.rows.iter().enumerate().map(|(index, row)| (self.first_slot + index, *row))
    }

    /// What is alive at the end, by slot of birth, oldest first; nonzero cohorts only.
    pub fn cohorts(&self) -> &[SlotCohort] {
        &self.cohorts
    }

    /// Cumulative and final numbers.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// The last few times a block outgrew all before it.
    pub fn growth(&self) -> &[Growth] {
        &self.growth
    }

    /// Blocks born after warm-up that died mature.
    pub fn mature_deaths(&self) -> u64 {
        self.mature_deaths
    }

    /// Writes the slots before `slot`, those without a row as the last row says.
    fn write_until(&mut self, axis: &Axis, slot: usize) {
        let Some(open) = self.open.take() else { return };
        self.push_row(axis, open);
        let HeapTotals { live_objects: objects, live_bytes: bytes, .. } = self.totals.counts;
        for silent in open.slot + 1..slot {
            self.push_row(axis, OpenSlot { slot: silent, trough: Trough { objects, bytes } });
        }
    }

    fn push_row(&mut self, axis: &Axis, closed: OpenSlot) {
        let mature = axis.mature_at(closed.slot);
        let old = &self.cohorts[..self.cohorts.partition_point(|cohort| cohort.slot < mature)];
        let warm = old.partition_point(|cohort| cohort.slot < axis.warm_up());
        let row = SlotRow {
            mature_objects: objects(&old[warm..]),
            old_objects: objects(old),
            trough_objects: closed.trough.objects,
            trough_bytes: closed.trough.bytes,
        };
        // A site that never holds anything between snapshots costs no memory.
        if self.rows.is_empty() && row == SlotRow::default() {
            return;
        }
        if self.rows.is_empty() {
            self.rows.reserve_exact(axis.len().saturating_sub(closed.slot));
        }
        *self.row_mut(closed.slot) = row;
    }

    fn row_mut(&mut self, slot: usize) -> &mut SlotRow {
        if self.rows.is_empty() {
            self.first_slot = slot;
        }
        if slot < self.first_slot {
            let missing = self.first_slot - slot;
            self.rows.splice(0..0, std::iter::repeat_n(SlotRow::default(), missing));
            self.first_slot = slot;
        }
        let index = slot - self.first_slot;
        if self.rows.len() <= index {
            self.rows.resize(index + 1, SlotRow::default());
        }
        &mut self.rows[index]
    }

    fn take_cohorts(&mut self, axis: &Axis, slot: usize, cohorts: &[SlotCohort]) {
        let mature = slot.checked_sub(1).map_or(0, |before| axis.mature_at(before));
        let mature_before = |cohort: &&SlotCohort| (axis.warm_up()..mature).contains(&cohort.slot);
        for cohort in self.cohorts.iter().filter(mature_before) {
            let died = cohort.objects.saturating_sub(objects_born_in(cohorts, cohort.slot));
            self.mature_deaths = self.mature_deaths.saturating_add(died);
        }
        self.cohorts.clear();
        self.cohorts.extend_from_slice(cohorts);
    }
}

fn sum_rows(a: SlotRow, b: SlotRow) -> SlotRow {
    SlotRow {
        mature_objects: a.mature_objects.saturating_add(b.mature_objects),
        old_objects: a.old_objects.saturating_add(b.old_objects),
        trough_objects: a.trough_objects.saturating_add(b.trough_objects),
        trough_bytes: a.trough_bytes.saturating_add(b.trough_bytes),
    }
}
