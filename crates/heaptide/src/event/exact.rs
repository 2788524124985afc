//! What an allocation, a free and a resize mean where every block is recorded.

#![forbid(unsafe_code)]

use super::guard::{AnyGuard, note_overrun, with_guard_for};
use super::lookup::Expected;
use crate::globals::count_context;
use crate::shared::state::State;
use crate::shared::trailer::{Birth, Trailer};
use crate::sync::add;
use crate::thread::block::{self, BlockGuard};
use crate::thread::counters::slot as counters;

/// Counts the block that was expected, and says what its trailer is to be.
#[inline(always)]
pub(crate) fn born(expected: Expected<BlockGuard>, addr: usize, size: usize) -> Trailer {
    Trailer::new(addr, expected.slot.count_alloc_fast(size as u64))
}

/// Counts a block the long way: the first at its site, or in its epoch, or larger than any. Says
/// what its trailer is to be.
pub(crate) fn born_slowly(expected: &Expected<AnyGuard>, addr: usize, size: usize) -> Trailer {
    let birth = expected.slot.count_alloc_slow(count_context(), expected.guard.state, size as u64);
    add(&expected.guard.get().tally.uncounted, u64::from(birth.is_none()));
    Trailer::new(addr, birth.unwrap_or(Birth::UNCOUNTED))
}

/// Counts the end of a block that is about to go.
///
/// The quick way needs no look at the phase: a slot is current only while the recording runs that
/// it counts for.
#[inline(always)]
pub(crate) fn death(state: State, trailer: Trailer, addr: usize, size: usize) {
    let birth = trailer.read(addr);
    if let Some(guard) = block::own_guard()
        && counters::count_free_fast(&guard.slots, state, birth, size as u64)
    {
        return;
    }
    death_slowly(birth, size);
}

#[cold]
#[inline(never)]
fn death_slowly(birth: Birth, size: usize) {
    if !birth.is_intact() {
        return note_overrun();
    }
    with_guard_for(birth, |block, state| {
        if !counters::count_free_slow(&block.slots, count_context(), state, birth, size as u64) {
            add(&block.tally.uncounted, 1);
        }
    });
}

/// Counts a block that was resized, and says what its trailer is to be.
pub(crate) fn resize(
    trailer: Trailer,
    (old_addr, old_size): (usize, usize),
    (new_addr, new_size): (usize, usize),
) -> Trailer {
    let birth = trailer.read(old_addr);
    if !birth.is_intact() {
        note_overrun();
        return Trailer::new(new_addr, Birth::UNCOUNTED);
    }
    let (old, new) = (old_size as u64, new_size as u64);
    with_guard_for(birth, |block, state| {
        if !counters::count_resize(&block.slots, count_context(), state, birth, old, new) {
            add(&block.tally.uncounted, 1);
        }
    });
    Trailer::new(new_addr, birth)
}
