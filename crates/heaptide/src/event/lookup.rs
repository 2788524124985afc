//! From a stack to the slot where its blocks count: at once, past a fork, or the long way.

#![forbid(unsafe_code)]

use super::guard::{AnyGuard, any_guard};
use super::learn::learn;
#[cfg(feature = "verify")]
use super::verify;
use crate::shared::state::State;
use crate::thread::block::{self, BlockGuard};
use crate::thread::counters::slot::SiteSlot;
use crate::thread::stack_cache::{Divergence, Lookup};
use crate::unwind::{Caller, StackMemory};

/// Where the block counts that the hook is about to make.
#[derive(Debug)]
pub(crate) struct Expected<H> {
    pub(super) guard: H,
    pub(super) slot: &'static SiteSlot,
}

/// What is known, without going far, of the block that is about to be made.
#[derive(Debug)]
pub(crate) enum Sought {
    /// Where it counts; nothing but counting is to be done.
    Found(Expected<BlockGuard>),
    /// Its stack begins like one that is remembered: [`expect_rest`] is to be asked.
    Forked(BlockGuard, Divergence),
    /// [`expect_slowly`] is to be asked.
    Unknown,
}

/// Finds out where the block of `bytes` counts that is about to be made, if the thread remembers
/// this stack and nothing but counting is to be done.
#[inline(always)]
pub(crate) fn expect(
    stack: impl StackMemory,
    caller: Caller,
    state: State,
    bytes: usize,
) -> Sought {
    let Some(guard) = block::own_guard() else { return Sought::Unknown };
    match guard.stack_cache().look_up(stack, caller) {
        Lookup::Hit(slot) => ready(guard, slot, stack, caller, state, bytes),
        Lookup::Diverged(divergence) => return Sought::Forked(guard, divergence),
        Lookup::Miss => None,
    }
    .map_or(Sought::Unknown, Sought::Found)
}

/// The same for a stack that parts here from one that is remembered.
#[inline(always)]
pub(crate) fn expect_rest(
    guard: BlockGuard,
    stack: impl StackMemory,
    caller: Caller,
    divergence: Divergence,
    state: State,
    bytes: usize,
) -> Result<Expected<BlockGuard>, Search> {
    let slot =
        guard.stack_cache().look_up_diverged(stack, caller, divergence).ok_or(Search::Done)?;
    ready(guard, slot, stack, caller, state, bytes).ok_or(Search::Due)
}

/// Whether a stack is still to be looked for among those that are remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Search {
    Due,
    Done,
}

/// What is expected if nothing but counting is to be done at `slot`.
#[inline(always)]
fn ready(
    guard: BlockGuard,
    slot: &'static SiteSlot,
    stack: impl StackMemory,
    caller: Caller,
    state: State,
    bytes: usize,
) -> Option<Expected<BlockGuard>> {
    // That the slot is current also says that no module was unloaded since the entry was made: a
    // thread forgets its entries before it brings any slot up to a state with more unloads.
    if !slot.takes_fast_way(state, bytes as u64) {
        return None;
    }
    #[cfg(feature = "verify")]
    let guard = verify::compare(guard, stack, caller, slot);
    #[cfg(not(feature = "verify"))]
    let _ = (stack, caller);
    Some(Expected { guard, slot })
}

/// Finds out where the block counts that is about to be made. `None`: it is not counted.
pub(crate) fn expect_slowly(
    stack: impl StackMemory,
    caller: Caller,
    search: Search,
) -> Option<Expected<AnyGuard>> {
    if block::is_internal() {
        return None;
    }
    let mut any = any_guard()?;
    if !any.state.is_recording() {
        return None;
    }
    let guard = any.get_mut();
    let known = (search == Search::Due).then(|| guard.stack_cache().find(stack, caller)).flatten();
    let slot = known.or_else(|| learn(guard, stack, caller))?;
    Some(Expected { guard: any, slot })
}
