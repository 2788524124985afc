//! Moments of a run: neighbouring slots of its axis, each closed by a snapshot.

use super::run_view::{Births, Column};
use crate::axis::Axis;
use crate::timeline::{Point, Timeline};

/// The columns of a run, and which slot is in which.
#[derive(Debug, Default)]
pub(super) struct Columns {
    pub(super) columns: Vec<Column>,
    of_slot: Vec<usize>,
    n_judged: usize,
}

impl Columns {
    /// Spreads the slots of an axis evenly over at most `most` columns; snapshots that are not judged
    /// have one of their own, the last.
    pub(super) fn new(axis: &Axis, timeline: &Timeline, most: usize) -> Self {
        let n_slots = axis.len();
        let n_judged = n_slots.min(most.max(1));
        let first_slot = |column: usize| column * n_slots / n_judged;
        let mut columns: Vec<Column> = Vec::with_capacity(n_judged + 1);
        let mut of_slot = Vec::with_capacity(n_slots);
        for column in 0..n_judged {
            let slots = first_slot(column)..first_slot(column + 1);
            let (first, last) = (slots.start, slots.end - 1);
            of_slot.extend(slots.map(|_| column));
            let births = Births {
                first: axis.slots()[first].first_epoch,
                last: axis.slots()[last].last_epoch,
            };
            let closing =
                (0..timeline.points.len()).rfind(|k| axis.slot_of_point(*k) == Some(last));
            let point = closing.map(|k| &timeline.points[k]);
            columns.extend(point.map(|point| column_at(point, births, true)));
        }
        let exit = timeline.points.len().checked_sub(1);
        let exit = exit.filter(|k| axis.slot_of_point(*k).is_none());
        if let Some(point) = exit.map(|k| &timeline.points[k]) {
            let births = Births { first: point.epoch, last: point.epoch };
            columns.push(column_at(point, births, false));
        }
        Self { columns, of_slot, n_judged }
    }

    /// The column of a slot; `None` stands for what is not judged.
    pub(super) fn of_slot(&self, slot: Option<usize>) -> usize {
        slot.and_then(|slot| self.of_slot.get(slot).copied()).unwrap_or(self.n_judged)
    }

    /// How many columns stand for the slots before this one alone.
    pub(super) fn before_slot(&self, slot: usize) -> usize {
        self.of_slot.get(slot).copied().unwrap_or(self.n_judged)
    }

    pub(super) fn n_judged(&self) -> usize {
        self.n_judged
    }
}

fn column_at(point: &Point, births: Births, is_judged: bool) -> Column {
    let Point { seq, elapsed_ns, .. } = *point;
    Column { seq, elapsed_ns, births, work: point.work.clone(), is_judged }
}
