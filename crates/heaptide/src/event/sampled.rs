//! What an event means in a sampled recording.

#![forbid(unsafe_code)]

use super::guard::{AnyHold, note_unheld, with_block_of};
use super::lookup::{Expected, Search, expect_slowly};
use crate::globals::{ARENA, Tables, surroundings, tables};
use crate::shared::samples::{Held, Sample, SampleTable};
use crate::shared::state::{Phase, State};
use crate::shared::trailer::Birth;
use crate::sync::add;
use crate::thread::counters::sampled::{self as counters, Origin, Weighted};
use crate::thread::sampler;
use crate::unwind::{Caller, StackMemory};

/// A block that will be sampled once it is there: where it counts, for how many it stands, and
/// the certainty that the table has room for it.
#[derive(Debug)]
pub(crate) struct Drawn {
    expected: Expected<AnyHold>,
    tables: &'static Tables,
    weight: u64,
}

/// For how many blocks one stands that was not passed by. `None`: it is not sampled.
pub(crate) fn weigh(state: State, size: usize) -> Option<u64> {
    state.is(Phase::Sampling).then(|| sampler::draw(size)).flatten()
}

/// Prepares for a block that stands for `weight`. `None`: it is not sampled after all.
pub(crate) fn draw(weight: u64, stack: impl StackMemory, caller: Caller) -> Option<Drawn> {
    let expected = expect_slowly(stack, caller, Search::Due)?;
    let hold = expected.hold.get();
    let tables = tables().filter(|_| SampleTable::make_room(&hold.spare, &ARENA));
    add(&hold.tally.unsampled, u64::from(tables.is_none()));
    Some(Drawn { expected, tables: tables?, weight })
}

/// A block that would have been sampled, if there were memory to find out where it counts.
#[cold]
pub(crate) fn without_memory() -> Option<Drawn> {
    note_unheld();
    None
}

/// Counts the block that was drawn, and enters it into the table.
pub(crate) fn born(drawn: Drawn, addr: usize, size: usize, origin: Origin) {
    let Drawn { expected: Expected { hold: any, slot }, tables, weight } = drawn;
    let hold = any.get();
    let weighted = Weighted { weight, size_bytes: size as u64 };
    let birth = slot.sampled_birth(surroundings(), any.state, weighted, origin);
    add(&hold.tally.uncounted, u64::from(birth.is_none()));
    // Counted or not: what lies where sampled blocks lie must be in the table.
    let sample = Sample { birth: birth.unwrap_or(Birth::UNCOUNTED), weight };
    tables.samples.insert(&hold.spare, addr, sample);
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
    with_block_of(sample.birth, |block, state| {
        if !counters::death(&block.slots, surroundings(), state, sample.birth, weighted) {
            add(&block.tally.uncounted, 1);
        }
    });
}
