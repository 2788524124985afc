//! From a stack to the slot where its blocks count: the seam *stack → site*.
//!
//! Three functions, from quick to slow. What each does with the block that is about to be made:
//!
//! | [`find_slot_fast`] says | then |
//! |---|---|
//! | [`SlotLookup::Hit`] | make the block, [`count_alloc_fast`](super::exact::count_alloc_fast) |
//! | [`SlotLookup::Diverged`] | ask [`find_slot_diverged`]: a hit, or ask [`find_slot_slow`] |
//! | [`SlotLookup::Miss`] | ask [`find_slot_slow`]: a slot, or the block is not counted |
//!
//! The slot is found before the block is made and counted in after it, because nothing may be held
//! and no stack unwound while the allocator works (`docs/SAFETY.md`, rules 3 and 4).
//!
//! A stack's site is the same whichever function finds it: a hit compares the words that an earlier
//! walk relied on (`docs/SAFETY.md`, "Why a match is exact"), a miss walks.

#![forbid(unsafe_code)]

use super::guard::{AnyGuard, any_guard};
use super::miss::resolve_miss;
#[cfg(feature = "verify")]
use super::verify;
use crate::globals::COUNT_CONTEXT;
use crate::shared::state::State;
use crate::shared::trailer::{PaddableSize, SiteIndex};
use crate::thread::block::{self, BlockGuard};
use crate::thread::counters::slot::SiteSlot;
use crate::thread::stack_cache::{Divergence, Lookup};
use crate::unwind::{Caller, StackMemory};

/// Where the block counts that is about to be made, with what is needed to count it there.
#[derive(Debug)]
pub(crate) struct CountTarget {
    /// Keeps the slot's thread block for this call until the block is counted.
    pub(super) guard: BlockGuard,
    pub(super) slot: &'static SiteSlot,
    pub(super) size: PaddableSize,
}

impl CountTarget {
    /// The size of the block: one at least as large has been counted at the slot.
    #[inline(always)]
    pub(crate) fn size(&self) -> PaddableSize {
        self.size
    }
}

/// Where the block counts that is about to be made, when more than counting is to be done.
#[derive(Debug)]
pub(crate) struct SlowCountTarget {
    pub(super) guard: AnyGuard,
    pub(crate) site: SiteIndex,
}

/// What is known, without going far, of the block that is about to be made.
#[derive(Debug)]
pub(crate) enum SlotLookup {
    /// Where it counts; nothing but counting is to be done.
    Hit(CountTarget),
    /// Its stack begins like one in the cache, and parts from it.
    Diverged(BlockGuard, Divergence),
    /// Its stack is not in the cache, or more than counting is to be done.
    Miss,
}

/// Why a block has no slot.
///
/// Told to whoever makes the block, who alone knows whether it comes to be, and so whether it is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoSlot {
    /// It is none of the program's, or nothing is recorded any more.
    NotRecorded,
    /// There was no memory to find out where it counts.
    WithoutMemory,
}

/// Whether a stack is still to be looked for in the thread's cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CacheSearch {
    Due,
    Done,
}

/// Looks for the slot of a block of `bytes` in the cache, one comparison of words long.
// A debug build would keep room for all that is inlined on the caller's stack (rule 11).
#[cfg_attr(not(debug_assertions), inline(always))]
#[cfg_attr(debug_assertions, inline)]
pub(crate) fn find_slot_fast(
    stack: impl StackMemory,
    caller: Caller,
    state: State,
    bytes: usize,
) -> SlotLookup {
    let Some(guard) = block::own_guard() else { return SlotLookup::Miss };
    match guard.stack_cache().look_up(stack, caller) {
        Lookup::Hit(slot) => fast_target(guard, slot, stack, caller, state, bytes),
        Lookup::Diverged(divergence) => return SlotLookup::Diverged(guard, divergence),
        Lookup::Miss => None,
    }
    .map_or(SlotLookup::Miss, SlotLookup::Hit)
}

/// The same for a stack that parts here from one in the cache.
#[inline(always)]
pub(crate) fn find_slot_diverged(
    guard: BlockGuard,
    stack: impl StackMemory,
    caller: Caller,
    divergence: Divergence,
    state: State,
    bytes: usize,
) -> Result<CountTarget, CacheSearch> {
    let slot = guard.stack_cache().look_up_diverged(stack, caller, divergence);
    let slot = slot.ok_or(CacheSearch::Done)?;
    fast_target(guard, slot, stack, caller, state, bytes).ok_or(CacheSearch::Due)
}

/// Whether what the calling thread makes is the program's. If not, it is not counted, and nothing needs
/// to be looked for.
pub(crate) fn is_of_program() -> bool {
    !block::is_internal()
}

/// Finds or makes the site of the program's block that is about to be made.
pub(crate) fn find_slot_slow(
    stack: impl StackMemory,
    caller: Caller,
    search: CacheSearch,
) -> Result<SlowCountTarget, NoSlot> {
    let mut any = any_guard().ok_or(NoSlot::WithoutMemory)?;
    if !any.state.is_recording() {
        return Err(NoSlot::NotRecorded);
    }
    let guard = any.get_mut();
    let known =
        (search == CacheSearch::Due).then(|| guard.stack_cache().find(stack, caller)).flatten();
    let site = match known {
        Some(slot) => {
            guard.stack_cache_mut().bring_home(caller);
            use_own_slot(guard, stack, caller, slot);
            slot.site()
        }
        None => resolve_miss(guard, stack, caller).ok_or(NoSlot::WithoutMemory)?,
    };
    Ok(SlowCountTarget { guard: any, site })
}

/// Has a stack that is remembered count in the thread's own slot from now on, if the one it counted in
/// is shared and the thread may have its own.
fn use_own_slot(
    guard: &mut BlockGuard,
    stack: impl StackMemory,
    caller: Caller,
    slot: &'static SiteSlot,
) {
    let own = guard.slots.get_or_make(&COUNT_CONTEXT, slot.site());
    if let Some(own) = own.filter(|own| !core::ptr::eq(*own, slot)) {
        guard.stack_cache_mut().redirect(stack, caller, own);
    }
}

/// The target at `slot`, if nothing but counting is to be done there.
#[inline(always)]
fn fast_target(
    guard: BlockGuard,
    slot: &'static SiteSlot,
    stack: impl StackMemory,
    caller: Caller,
    state: State,
    bytes: usize,
) -> Option<CountTarget> {
    // That the slot is valid for the state also says that no module was unloaded since the entry was
    // made: a thread forgets its entries before it makes any slot valid for a state with more unloads.
    let size = slot.takes_fast_way(state, bytes)?;
    #[cfg(feature = "verify")]
    let guard = verify::compare(guard, stack, caller, slot);
    #[cfg(not(feature = "verify"))]
    let _ = (stack, caller);
    Some(CountTarget { guard, slot, size })
}
