//! What an event means in a sampled recording.

#![forbid(unsafe_code)]

use super::guard::{AnyGuard, with_guard_for};
use super::lookup::{Expected, Search, expect_slowly};
use crate::globals::{ARENA, Tables, count_context, tables};
use crate::shared::samples::{Held, Sample, SampleTable};
use crate::shared::state::{Phase, State};
use crate::shared::trailer::Birth;
use crate::sync::add;
use crate::thread::counters::sampled::{self as counters, AllocKind, Weighted};
use crate::thread::sampler;
use crate::unwind::{Caller, StackMemory};

/// A block that will be sampled once it is there: where it counts, for how many it stands, and
/// the certainty that the table has room for it.
#[derive(Debug)]
pub(crate) struct Drawn {
    expected: Expected<AnyGuard>,
    tables: &'static Tables,
    weight: u64,
}

/// Decides on a block that was not passed by. `None`: it is not sampled.
pub(crate) fn draw(
    state: State,
    size: usize,
    stack: impl StackMemory,
    caller: Caller,
) -> Option<Drawn> {
    if !state.is(Phase::Sampling) {
        return None;
    }
    let weight = sampler::draw(size)?;
    let expected = expect_slowly(stack, caller, Search::Due)?;
    let guard = expected.guard.get();
    let tables = tables().filter(|_| SampleTable::make_room(&guard.spare, &ARENA));
    add(&guard.tally.unsampled, u64::from(tables.is_none()));
    Some(Drawn { expected, tables: tables?, weight })
}

/// Counts the block that was drawn, and enters it into the table.
pub(crate) fn born(drawn: Drawn, addr: usize, size: usize, kind: AllocKind) {
    let Drawn { expected: Expected { guard: any, slot }, tables, weight } = drawn;
    let guard = any.get();
    let weighted = Weighted { weight, size_bytes: size as u64 };
    let birth = slot.count_sampled_alloc(count_context(), any.state, weighted, kind);
    add(&guard.tally.uncounted, u64::from(birth.is_none()));
    // Counted or not: what lies where sampled blocks lie must be in the table.
    let sample = Sample { birth: birth.unwrap_or(Birth::UNCOUNTED), weight };
    tables.samples.insert(&guard.spare, addr, sample);
}

/// Takes the block at `addr` out of the table, if it is sampled, now or by an earlier recording.
pub(crate) fn hold(addr: usize) -> Option<Held> {
    tables()?.samples.hold(addr)
}

/// Counts the end of a sampled block.
#[cold]
#[inline(never)]
pub(crate) fn died(sample: Sample, size: usize) {
    let weighted = Weighted { weight: sample.weight, size_bytes: size as u64 };
    with_guard_for(sample.birth, |block, state| {
        if !counters::count_sampled_free(
            &block.slots,
            count_context(),
            state,
            sample.birth,
            weighted,
        ) {
            add(&block.tally.uncounted, 1);
        }
    });
}
