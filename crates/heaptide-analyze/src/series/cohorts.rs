//! What is alive at a site, by the slot it was born in.

use heaptide_format::Cohort;

use crate::axis::Axis;

/// Live blocks born in one slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlotCohort {
    /// Slot of birth.
    pub slot: usize,
    /// Live blocks.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Appends the cohorts of one row.
pub(super) fn push_cohorts(cohorts: &mut Vec<SlotCohort>, axis: &Axis, row: &[Cohort]) {
    let start = cohorts.len();
    for &Cohort(epoch, objects, bytes) in row {
        add_cohort(cohorts, start, SlotCohort { slot: axis.slot_of_epoch(epoch), objects, bytes });
    }
}

/// Adds to the cohorts from `start` on. They mostly come in order, so the end is looked at first.
pub(super) fn add_cohort(cohorts: &mut Vec<SlotCohort>, start: usize, cohort: SlotCohort) {
    if cohorts[start..].last().is_none_or(|last| last.slot < cohort.slot) {
        cohorts.push(cohort);
        return;
    }
    match cohorts[start..].binary_search_by_key(&cohort.slot, |cohort| cohort.slot) {
        Ok(index) => {
            let sum = &mut cohorts[start + index];
            sum.objects = sum.objects.saturating_add(cohort.objects);
            sum.bytes = sum.bytes.saturating_add(cohort.bytes);
        }
        Err(index) => cohorts.insert(start + index, cohort),
    }
}

pub(super) fn objects_born_in(cohorts: &[SlotCohort], slot: usize) -> u64 {
    let index = cohorts.binary_search_by_key(&slot, |cohort| cohort.slot);
    index.map_or(0, |index| cohorts[index].objects)
}

pub(super) fn objects(cohorts: &[SlotCohort]) -> u64 {
    cohorts.iter().fold(0, |sum, cohort| sum.saturating_add(cohort.objects))
}
