//! Do the elements of a container grow, or are they just as many as it was made for?
//!
//! A container that doubles says how many elements it has had at once, and that only now and then.
//! Where each element is a block of its own, the births and deaths of those tell more, and sooner:
//! that a cache is full, that what a pool lends comes back. A site is taken for the elements of a
//! container if, at every step, it had about as many live blocks as the container had room for.

use super::class::Class;
use super::containers::Container;
use crate::series::SiteSeries;

/// Room and elements must agree at so many steps at least,
const LEAST_STEPS: usize = 3;
/// among those by which the bytes came to the last eight-fold,
const SPAN: u64 = 8;
/// give or take this factor,
const APART: f64 = 1.15;
/// or this one where many containers grow one after another.
const APART_OF_MANY: f64 = 2.0;
/// A container has an index for each of its elements at least, if a short one,
const LEAST_BYTES: f64 = 2.0;
/// and hardly more than this.
const MOST_BYTES: f64 = 1024.0;

/// The low water of a backlog is looked at in so many parts of the run,
const PARTS: usize = 8;
/// after this share of it,
const FROM: f64 = 0.2;
/// and lies on a straight line up to this share of its rise: what comes and goes at random is further
/// off.
const OFF_THE_LINE: f64 = 0.1;
/// What rises by less than this factor may have been waiting for its turn.
const LEAST_RISE: f64 = 1.5;
/// Of a backlog at least this share is taken out again, while a cache that fills keeps all.
const LEAST_TAKEN_OUT: f64 = 0.1;

/// Whether the blocks of a site are a backlog: all of them young, or undecided because those taken out
/// are the oldest, and evenly more of them as the run goes on. They bound no container, for they have
/// no bound themselves.
pub(super) fn pile_up(elements: &SiteSeries, class: Class, last_slot: usize) -> bool {
    let first = (last_slot as f64 * FROM) as usize;
    let part = (last_slot + 1 - first) / PARTS;
    let counts = &elements.totals().counts;
    let is_emptied = counts.frees as f64 >= LEAST_TAKEN_OUT * counts.allocs as f64;
    let may_pile_up = class == Class::Load || class == Class::Suspect && is_emptied;
    if !may_pile_up || part == 0 {
        return false;
    }
    let low_water = |k: usize| {
        let slots = first + k * part..first + (k + 1) * part;
        slots.map(|slot| elements.row(slot).trough_objects).min().unwrap_or(0) as f64
    };
    let lows: Vec<f64> = (0..PARTS).map(low_water).collect();
    let (lowest, rise) = (lows[0], lows[PARTS - 1] - lows[0]);
    let on_line = |k: usize| lowest + rise * k as f64 / (PARTS - 1) as f64;
    rise > 0.0
        && lows[PARTS - 1] >= LEAST_RISE * lowest
        && (0..PARTS).all(|k| (lows[k] - on_line(k)).abs() <= OFF_THE_LINE * rise)
}

/// Whether the blocks of a site are as many, step by step, as a container has room for.
pub(super) fn fill(
    elements: &SiteSeries,
    container: &Container,
    rises: &[(usize, u64)],
    last_slot: usize,
) -> bool {
    let Some(&(_, bytes)) = rises.last() else { return false };
    let objects = |slot: usize| elements.row(slot.min(last_slot)).trough_objects as f64;
    let recent = rises.windows(2).filter(|pair| pair[0].1 * SPAN >= bytes);
    // Elements per byte of room, at the least and at the most: the step was taken in one of the
    // slots before the one that shows it.
    let per_byte = recent.map(|pair| {
        let (room, slot) = (pair[0].1 as f64, pair[1].0);
        (objects(slot.saturating_sub(2)) / room, objects(slot + 1) / room)
    });
    let (mut steps, mut least, mut most) = (0, f64::MAX, 0.0_f64);
    for (low, high) in per_byte {
        steps += 1;
        most = most.max(low);
        least = least.min(high);
    }
    let apart = if container.of_many { APART_OF_MANY } else { APART };
    let per_element = bytes as f64 / objects(last_slot).max(1.0);
    steps >= LEAST_STEPS
        && least > 0.0
        && most <= apart * least
        && (LEAST_BYTES..=MOST_BYTES).contains(&per_element)
}

/// What a container is that grows, given what the sites are that fill it: it leaks no more than
/// all of them do.
pub(super) fn bound(container: Class, elements: impl Iterator<Item = Class>) -> Class {
    elements.min().map_or(container, |worst| container.max(worst.min(Class::Settled)))
}
