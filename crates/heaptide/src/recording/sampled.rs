//! What an event means in a sampled recording.

#![forbid(unsafe_code)]

use super::{ARENA, Expected, Tables, counts, surroundings, tables, with_block};
use crate::counters::sampled::{self as counters, Origin, Weighted};
use crate::record::{Birth, SiteIndex};
use crate::sampling::gap;
use crate::sampling::table::{Held, Sample, SampleTable};
use crate::state::{Phase, State};
use crate::sync::add;
use crate::unwind::{Caller, StackMemory};

/// A block that will be sampled once it is there: where it counts, for how many it stands, and
/// the certainty that the table has room for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drawn {
    expected: Expected,
    tables: &'static Tables,
    weight: u64,
}

/// Decides on a block that was not passed by. `None`: it is not sampled.
///
/// What it returns must be given to [`born`] or to [`not_born`].
pub(crate) fn draw(
    state: State,
    size: usize,
    stack: impl StackMemory,
    caller: Caller,
) -> Option<Drawn> {
    if state.phase() != Phase::Sampling {
        return None;
    }
    let weight = gap::draw(size)?;
    let expected = super::expect(stack, caller)?;
    let tables = tables().filter(|_| SampleTable::make_room(&expected.block.spare, &ARENA));
    if tables.is_none() {
        add(&expected.block.tally.unsampled, 1);
        super::not_born(expected);
    }
    Some(Drawn { expected, tables: tables?, weight })
}

/// Counts the block that was drawn, and enters it into the table.
pub(crate) fn born(drawn: Drawn, state: State, addr: usize, size: usize, origin: Origin) {
    let Drawn { expected: Expected { block, place }, tables, weight } = drawn;
    let weighted = Weighted { weight, size_bytes: size as u64 };
    let counted = place.slot.sampled_birth(surroundings(), state, weighted, origin);
    add(&block.tally.uncounted, u64::from(!counted));
    // Counted or not: what lies where sampled blocks lie must be in the table.
    let site = if counted { place.site } else { SiteIndex::NONE };
    let sample = Sample { birth: Birth { site, key: state.key() }, weight };
    tables.samples.insert(&block.spare, addr, sample);
    block.let_go();
}

/// Lets go of what was drawn: the inner allocator had no memory.
pub(crate) fn not_born(drawn: Drawn) {
    super::not_born(drawn.expected);
}

/// Takes the block at `addr` out of the table, if it is sampled, now or by an earlier recording.
pub(crate) fn hold(addr: usize) -> Option<Held> {
    tables()?.samples.hold(addr)
}

/// Counts the end of a sampled block.
#[cold]
#[inline(never)]
pub(crate) fn died(state: State, sample: Sample, size: usize) {
    if !counts(state, sample.birth) {
        return;
    }
    let weighted = Weighted { weight: sample.weight, size_bytes: size as u64 };
    with_block(|block| {
        if !counters::death(&block.slots, surroundings(), state, sample.birth, weighted) {
            add(&block.tally.uncounted, 1);
        }
    });
}
