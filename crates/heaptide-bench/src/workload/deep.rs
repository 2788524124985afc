//! Blocks made and freed at the bottom of a stack 150 frames deep: a parser in a framework in a
//! runtime. An operation is one allocation and one free.

use std::hint::black_box;

use super::Allocating;
use super::micro::Slots;

/// Deep for a service: what a parser in a framework in a runtime comes to.
const DEPTH: u32 = 150;
/// Few enough to stay in the processor's cache: the depth is measured, not memory.
const N_LIVE: usize = 1_000;

#[inline(never)]
fn descend(depth: u32, work: &mut dyn FnMut()) {
    if depth == 0 {
        work();
    } else {
        descend(depth - 1, work);
    }
    black_box(depth);
}

impl Allocating {
    pub(crate) fn deep() -> Self {
        let mut slots = Slots::new(3, N_LIVE);
        Self::new(2 * N_LIVE as u64, 1_000, move |ops| {
            // The slots make their blocks under ten or so frames more.
            descend(DEPTH, &mut || (0..ops).for_each(|_| drop(slots.replace_one())));
        })
    }
}
