//! What an allocation, a free and a resize mean where every block is recorded: the seams *trailer* and
//! *counters*.
//!
//! Whoever calls (the hook; a face under `malloc`) makes the block, reads and writes the eight bytes,
//! and tells of nothing but addresses and sizes. The contract:
//!
//! * A block's trailer says what [`count_alloc_fast`], [`count_alloc_slow`] or [`count_resize`]
//!   returned for it, or [`without_slot`], or [`uncounted`]. Where it stands is the caller's affair.
//! * A resize of a block that [`is_from_before`] the recording is counted as an allocation where it is
//!   resized: its slot is looked for before, as for any other.
//! * The size given at a block's end is the size given last when it was made or resized: so a caller
//!   that learns no size at the end gives both times what the allocator says is usable, less the
//!   trailer.
//! * [`count_free_fast`] and [`count_resize`] are called while the block is still the caller's, and
//!   its trailer is not read again.

#![forbid(unsafe_code)]

use super::guard::{note_freed_from_before, note_overrun, note_own, note_unheld, with_guard_for};
use super::lookup::{CountTarget, NoSlot, SlowCountTarget};
use crate::globals::COUNT_CONTEXT;
use crate::shared::state::State;
use crate::shared::trailer::{Birth, PaddableSize, SiteIndex, TRAILER_BYTES, Trailer};
use crate::sync::add;
use crate::thread::block;
use crate::thread::counters::exact as counters;

/// Counts the block that was looked for, now that it is at `addr`; its trailer.
#[inline(always)]
pub(crate) fn count_alloc_fast(target: CountTarget, addr: usize) -> Trailer {
    add(&target.guard.chunk_bytes, chunk_bytes(target.size.bytes()));
    Trailer::new(addr, target.slot.count_alloc_fast(target.size))
}

/// The same where more is to be done: for the first block at its site, or in its epoch, or larger
/// than all before it.
pub(crate) fn count_alloc_slow(
    target: &SlowCountTarget,
    addr: usize,
    size: PaddableSize,
) -> Trailer {
    let (block, state) = (target.guard.get(), target.guard.state);
    let birth = counters::count_alloc_slow(&block.slots, &COUNT_CONTEXT, state, target.site, size);
    match birth {
        Some(_) => add(&block.chunk_bytes, chunk_bytes(size.bytes())),
        None => add(&block.tally.uncounted, 1),
    }
    Trailer::new(addr, birth.unwrap_or(Birth::UNCOUNTED))
}

/// The trailer of a block that has no slot, and is said to be lost if it should have had one.
pub(crate) fn without_slot(why: NoSlot, addr: usize, size: PaddableSize) -> Trailer {
    match why {
        NoSlot::NotRecorded => note_own(chunk_bytes(size.bytes())),
        NoSlot::WithoutMemory => note_unheld(),
    }
    uncounted(addr)
}

/// The trailer of a block that is not counted.
#[inline]
pub(crate) fn uncounted(addr: usize) -> Trailer {
    Trailer::new(addr, Birth::UNCOUNTED)
}

/// Counts the end of a block of `size` bytes at `addr`, if nothing but counting is to be done; says whether
/// it was.
///
/// No look at the phase is needed: a slot is valid only for states of the recording that it counts
/// for.
#[inline(always)]
pub(crate) fn count_free_fast(state: State, trailer: Trailer, addr: usize, size: usize) -> bool {
    let birth = trailer.read(addr);
    if let Some(guard) = block::own_guard()
        && counters::count_free_fast(&guard.slots, state, birth, size as u64)
    {
        add(&guard.chunk_bytes, chunk_bytes(size).wrapping_neg());
        return true;
    }
    false
}

/// The same where more is to be done, or the block does not count.
pub(crate) fn count_free_slow(trailer: Trailer, addr: usize, size: usize) {
    let birth = trailer.read(addr);
    if !birth.is_intact() {
        return note_overrun();
    }
    if birth == Birth::UNCOUNTED {
        note_own(chunk_bytes(size).wrapping_neg());
    }
    note_freed_from_before(birth);
    with_guard_for(birth, |block, state| {
        let is_counted =
            counters::count_free_slow(&block.slots, &COUNT_CONTEXT, state, birth, size as u64);
        if is_counted {
            add(&block.chunk_bytes, chunk_bytes(size).wrapping_neg());
        }
        is_counted
    });
}

/// Whether a block was there before the recording that runs, so that a resize is its birth.
///
/// So is one that was not counted for want of memory. A block whose trailer is not intact is not known.
#[inline(always)]
pub(crate) fn is_from_before(state: State, trailer: Trailer, addr: usize) -> bool {
    let birth = trailer.read(addr);
    state.is_recording()
        && birth.is_intact()
        && birth.key().generation() != state.key().generation()
}

/// A block of `old_size` bytes was resized that has no slot.
pub(crate) fn resized_without_slot(why: NoSlot, old_size: usize) {
    if why == NoSlot::NotRecorded {
        note_own(chunk_bytes(old_size).wrapping_neg());
    }
}

/// Whether a block outgrows by this resize all before it at its site, so that it is worth knowing who
/// resizes it.
#[inline]
pub(crate) fn outgrows_all(
    state: State,
    trailer: Trailer,
    addr: usize,
    new_size: PaddableSize,
) -> bool {
    let birth = trailer.read(addr);
    state.is_recording()
        && birth.is_intact()
        && birth.site() != SiteIndex::NONE
        && block::own_guard().is_some_and(|guard| {
            let new_bytes = new_size.bytes() as u64;
            counters::outgrows_all(&guard.slots, &COUNT_CONTEXT, state, birth.site(), new_bytes)
        })
}

/// Counts a block that was resized, and maybe moved; its new trailer. `grown_at` is where, if that was
/// looked for.
pub(crate) fn count_resize(
    trailer: Trailer,
    (old_addr, old_size): (usize, usize),
    (new_addr, new_size): (usize, PaddableSize),
    grown_at: SiteIndex,
) -> Trailer {
    let birth = trailer.read(old_addr);
    if !birth.is_intact() {
        note_overrun();
        return uncounted(new_addr);
    }
    let old = (birth, old_size as u64);
    with_guard_for(birth, |block, state| {
        let is_counted =
            counters::count_resize(&block.slots, &COUNT_CONTEXT, state, old, new_size, grown_at);
        if is_counted {
            let more = chunk_bytes(new_size.bytes()).wrapping_sub(chunk_bytes(old_size));
            add(&block.chunk_bytes, more);
        }
        is_counted
    });
    Trailer::new(new_addr, birth)
}

/// What a block of `size` bytes and its trailer take in glibc's allocator (`request2size` in its
/// `malloc.c`): with the eight bytes of a chunk's header, rounded up to sixteen. Other allocators round
/// otherwise; where their own numbers are asked for, this one is not.
#[inline(always)]
fn chunk_bytes(size: usize) -> u64 {
    const HEADER_BYTES: usize = 8;
    ((size + TRAILER_BYTES + HEADER_BYTES + 15) & !15) as u64
}
