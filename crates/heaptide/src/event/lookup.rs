//! From a stack to the slot where its blocks count: at once, past a fork, or the long way.

#![forbid(unsafe_code)]

use super::guard::{AnyHold, hold_any, note_unheld};
use super::learn::learn;
#[cfg(feature = "verify")]
use super::verify;
use crate::shared::state::State;
use crate::thread::block::{self, Hold};
use crate::thread::counters::slot::SiteSlot;
use crate::thread::stack_cache::{Fork, Found};
use crate::unwind::{Caller, StackMemory};

/// Where the block counts that the hook is about to make.
#[derive(Debug)]
pub(crate) struct Expected<H> {
    pub(super) hold: H,
    pub(super) slot: &'static SiteSlot,
}

/// What is known, without going far, of the block that is about to be made.
#[derive(Debug)]
pub(crate) enum Sought {
    /// Where it counts; nothing but counting is to be done.
    Found(Expected<Hold>),
    /// Its stack begins like one that is remembered: [`expect_rest`] is to be asked.
    Forked(Hold, Fork),
    /// [`expect_slowly`] is to be asked.
    Unknown,
}

/// Finds out where the block of `bytes` counts that is about to be made, if the thread remembers
/// this stack and nothing but counting is to be done.
// A debug build would keep room for all that is inlined on the caller's stack (rule 11).
#[cfg_attr(not(debug_assertions), inline(always))]
#[cfg_attr(debug_assertions, inline)]
pub(crate) fn expect(
    stack: impl StackMemory,
    caller: Caller,
    state: State,
    bytes: usize,
) -> Sought {
    let Some(hold) = block::hold_own() else { return Sought::Unknown };
    match hold.memo().find_first(stack, caller) {
        Found::Slot(slot) => ready(hold, slot, stack, caller, state, bytes),
        Found::Fork(fork) => return Sought::Forked(hold, fork),
        Found::Nothing => None,
    }
    .map_or(Sought::Unknown, Sought::Found)
}

/// The same for a stack that parts here from one that is remembered.
#[inline(always)]
pub(crate) fn expect_rest(
    hold: Hold,
    stack: impl StackMemory,
    caller: Caller,
    fork: Fork,
    state: State,
    bytes: usize,
) -> Result<Expected<Hold>, Search> {
    let slot = hold.memo().find_rest(stack, caller, fork).ok_or(Search::Done)?;
    ready(hold, slot, stack, caller, state, bytes).ok_or(Search::Due)
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
    hold: Hold,
    slot: &'static SiteSlot,
    stack: impl StackMemory,
    caller: Caller,
    state: State,
    bytes: usize,
) -> Option<Expected<Hold>> {
    // That the slot is current also says that no module was unloaded since the entry was made: a
    // thread forgets its entries before it brings any slot up to a state with more unloads.
    if !slot.is_ready(state, bytes as u64) {
        return None;
    }
    #[cfg(feature = "verify")]
    let hold = verify::compare(hold, stack, caller, slot);
    #[cfg(not(feature = "verify"))]
    let _ = (stack, caller);
    Some(Expected { hold, slot })
}

/// Finds out where the block counts that is about to be made. `None`: it is not counted.
pub(crate) fn expect_slowly(
    stack: impl StackMemory,
    caller: Caller,
    search: Search,
) -> Option<Expected<AnyHold>> {
    if block::is_internal() {
        return None;
    }
    let mut any = hold_any()?;
    if !any.state.is_recording() {
        return None;
    }
    let hold = any.get_mut();
    let known = (search == Search::Due).then(|| hold.memo().find(stack, caller)).flatten();
    let slot = known.or_else(|| learn(hold, stack, caller))?;
    Some(Expected { hold: any, slot })
}

/// A block of which nobody could find out where it counts, for want of memory.
#[cold]
pub(crate) fn without_memory() -> Option<Expected<AnyHold>> {
    note_unheld();
    None
}
