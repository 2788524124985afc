//! What an allocation, a free and a resize mean where some blocks are sampled.
//!
//! Whoever calls asks [`draw_weight`] before it makes a block, has [`prepare`] find the site of one that
//! is drawn, tells [`count_alloc`] and [`enter`] when the block is there, and asks [`take_out`] whether a block is
//! sampled before it goes. Such blocks have no trailer: the side table knows them by their address.

#![forbid(unsafe_code)]

use super::guard::{note_unheld, with_guard_for};
use super::lookup::{self, CacheSearch, NoSlot, SlowCountTarget, find_slot_slow};
use crate::globals::{ARENA, COUNT_CONTEXT, Tables, tables};
use crate::shared::samples::{Sample, SampleTable, TakenSample};
use crate::shared::state::{Phase, State};
use crate::shared::trailer::Birth;
use crate::sync::add;
use crate::thread::counters::sampled::{self as counters, AllocKind, Weighted};
use crate::thread::sampler;
use crate::unwind::{Caller, StackMemory};

/// A block that will be sampled once it is there: where it counts, for how many it stands, and
/// the certainty that the table has room for it.
#[derive(Debug)]
pub(crate) struct PendingSample {
    target: SlowCountTarget,
    tables: &'static Tables,
    weight: u64,
}

/// For how many blocks one stands for which [`sampler::skip_fast`] said no. `None`: it is not sampled.
pub(crate) fn draw_weight(state: State, size: usize) -> Option<u64> {
    let drawn = state.is(Phase::Sampling).then(|| sampler::draw_weight(size)).flatten();
    drawn.filter(|_| lookup::is_of_program())
}

/// Prepares for a block that stands for `weight`. `None`: it is not sampled after all.
pub(crate) fn prepare(
    weight: u64,
    stack: impl StackMemory,
    caller: Caller,
) -> Option<PendingSample> {
    let target = match find_slot_slow(stack, caller, CacheSearch::Due) {
        Ok(target) => target,
        Err(NoSlot::NotRecorded) => return None,
        Err(NoSlot::WithoutMemory) => return without_memory(),
    };
    let guard = target.guard.get();
    let tables = tables().filter(|_| SampleTable::make_room(&guard.spare, &ARENA));
    add(&guard.tally.unsampled, u64::from(tables.is_none()));
    Some(PendingSample { target, tables: tables?, weight })
}

/// A block that would have been sampled, if there were memory to find out where it counts.
#[cold]
pub(crate) fn without_memory() -> Option<PendingSample> {
    note_unheld();
    None
}

/// Counts the block that was drawn, now that it is there; its birth, if it is counted.
pub(crate) fn count_alloc(pending: &PendingSample, size: usize, kind: AllocKind) -> Option<Birth> {
    let SlowCountTarget { guard: any, site } = &pending.target;
    let (guard, state) = (any.get(), any.state);
    let weighted = Weighted { weight: pending.weight, size_bytes: size as u64 };
    let slots = &guard.slots;
    let birth = counters::count_sampled_alloc(slots, &COUNT_CONTEXT, state, *site, weighted, kind);
    add(&guard.tally.uncounted, u64::from(birth.is_none()));
    birth
}

/// Enters the block at `addr` into the table. Counted or not: what lies where sampled blocks lie must be
/// there.
pub(crate) fn enter(pending: PendingSample, addr: usize, birth: Option<Birth>) {
    let PendingSample { target, tables, weight } = pending;
    let sample = Sample { birth: birth.unwrap_or(Birth::UNCOUNTED), weight };
    tables.samples.insert(&target.guard.get().spare, addr, sample);
}

/// Takes the block at `addr` out of the table, if it is sampled, now or by an earlier recording.
pub(crate) fn take_out(addr: usize) -> Option<TakenSample> {
    tables()?.samples.take_out(addr)
}

/// Counts the end of a sampled block.
#[cold]
#[inline(never)]
pub(crate) fn count_free(sample: Sample, size: usize) {
    let weighted = Weighted { weight: sample.weight, size_bytes: size as u64 };
    with_guard_for(sample.birth, |block, state| {
        let (slots, birth) = (&block.slots, sample.birth);
        counters::count_sampled_free(slots, &COUNT_CONTEXT, state, birth, weighted)
    });
}
