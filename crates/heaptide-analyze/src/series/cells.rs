//! What is alive at a site, by the slot it was born in.

use heaptide_format::Cohort;

use crate::axis::Axis;

/// Live blocks born in one slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// Slot of birth.
    pub slot: usize,
    /// Live blocks.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Appends the cells of one row.
pub(super) fn push_cells(cells: &mut Vec<Cell>, axis: &Axis, cohorts: &[Cohort]) {
    let start = cells.len();
    for &Cohort(epoch, objects, bytes) in cohorts {
        add_cell(cells, start, Cell { slot: axis.slot_of_epoch(epoch), objects, bytes });
    }
}

/// Adds to the cells from `start` on. They mostly come in order, so the end is looked at first.
pub(super) fn add_cell(cells: &mut Vec<Cell>, start: usize, cell: Cell) {
    if cells[start..].last().is_none_or(|last| last.slot < cell.slot) {
        cells.push(cell);
        return;
    }
    match cells[start..].binary_search_by_key(&cell.slot, |cell| cell.slot) {
        Ok(index) => {
            let sum = &mut cells[start + index];
            sum.objects = sum.objects.saturating_add(cell.objects);
            sum.bytes = sum.bytes.saturating_add(cell.bytes);
        }
        Err(index) => cells.insert(start + index, cell),
    }
}

pub(super) fn objects_born_in(cells: &[Cell], slot: usize) -> u64 {
    let index = cells.binary_search_by_key(&slot, |cell| cell.slot);
    index.map_or(0, |index| cells[index].objects)
}

pub(super) fn objects(cells: &[Cell]) -> u64 {
    cells.iter().fold(0, |sum, cell| sum.saturating_add(cell.objects))
}
