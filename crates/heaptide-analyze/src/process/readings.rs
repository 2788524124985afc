//! One quantity of a process over the run: the lowest reading of each slot.

use crate::axis::Axis;
use crate::timeline::Point;

/// The snapshots of a run that are judged.
pub(super) struct Judged<'a> {
    /// In order.
    pub(super) points: Vec<&'a Point>,
    /// The slot of each.
    slots: Vec<usize>,
    /// The index of the first after the warm-up.
    pub(super) warm_up: usize,
}

impl<'a> Judged<'a> {
    pub(super) fn new(points: &'a [Point], axis: &Axis) -> Self {
        let judged = points.iter().enumerate();
        let judged = judged.filter_map(|(k, point)| Some((point, axis.slot_of_point(k)?)));
        let (points, slots): (Vec<_>, Vec<usize>) = judged.unzip();
        let warm_up = slots.partition_point(|&slot| slot < axis.warm_up());
        Self { points, slots, warm_up }
    }
}

/// One reading.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reading {
    /// Which of the judged snapshots.
    pub(super) at: usize,
    /// Bytes, or a count.
    pub(super) value: f64,
}

/// One quantity over the run.
#[derive(Clone, Debug)]
pub(super) struct Readings {
    /// The lowest of each slot: a slot that joins many snapshots must not count for more than one.
    slots: Vec<Reading>,
    /// How many of them fall into the warm-up.
    warm_up: usize,
    /// The first of all.
    pub(super) first: f64,
    /// The last of all.
    pub(super) last: f64,
    /// The largest of all.
    pub(super) most: f64,
}

impl Readings {
    /// Of the snapshots in which the quantity was read; `None` if it never was.
    pub(super) fn new(judged: &Judged<'_>, value: impl Fn(&Point) -> Option<f64>) -> Option<Self> {
        let all = judged.points.iter().enumerate();
        let all: Vec<Reading> =
            all.filter_map(|(at, point)| Some(Reading { at, value: value(point)? })).collect();
        let (first, last) = (all.first()?.value, all.last()?.value);
        let most = all.iter().map(|reading| reading.value).fold(first, f64::max);
        let mut slots: Vec<Reading> = Vec::new();
        for reading in all {
            match slots.last_mut() {
                Some(low) if judged.slots[low.at] == judged.slots[reading.at] => {
                    if reading.value < low.value {
                        *low = reading;
                    }
                }
                _ => slots.push(reading),
            }
        }
        let warm_up = slots.partition_point(|reading| reading.at < judged.warm_up);
        Some(Self { slots, warm_up, first, last, most })
    }

    /// Slots with a reading.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Those of the whole run.
    pub(super) fn all(&self) -> &[Reading] {
        &self.slots
    }

    /// Those after the warm-up.
    pub(super) fn after_warm_up(&self) -> &[Reading] {
        &self.slots[self.warm_up..]
    }
}
