//! The thread block that an event counts in: the thread's own, or one borrowed for the call.

#![forbid(unsafe_code)]

use crate::globals::{ARENA, MODULES, OWN_CHUNK_BYTES, STATE, THREAD_BLOCKS, UNHELD};
use crate::shared::state::State;
use crate::shared::trailer::{Birth, SiteIndex};
use crate::sync::Ordering::{Acquire, Relaxed};
use crate::sync::{add, fence};
use crate::thread::block::{self, BlockGuard, BorrowedGuard, ThreadBlock};

/// The block that a call of the hook works on, and the state since then.
#[derive(Debug)]
pub(crate) struct AnyGuard {
    owner: Owner,
    pub(super) state: State,
}

#[derive(Debug)]
enum Owner {
    /// The thread's own.
    Own(BlockGuard),
    /// Another, for this call.
    Lent(BorrowedGuard),
}

impl AnyGuard {
    pub(super) fn get(&self) -> &BlockGuard {
        match &self.owner {
            Owner::Own(guard) => guard,
            Owner::Lent(borrowed) => borrowed.guard(),
        }
    }

    pub(super) fn get_mut(&mut self) -> &mut BlockGuard {
        match &mut self.owner {
            Owner::Own(guard) => guard,
            Owner::Lent(borrowed) => borrowed.guard_mut(),
        }
    }
}

/// A block for the caller alone, which knows of all unloads in its state. The calling thread's own;
/// another for a thread that has none yet, or none any more, or whose block is in use by the very
/// call that a signal handler interrupted. `None` without memory.
///
/// The state is read when the block is held: whoever had it before counted under no later one.
// Out of line, a miss takes four hundred instructions more: what it leads to is then laid out anew.
#[inline(always)]
pub(super) fn any_guard() -> Option<AnyGuard> {
    let own = block::own_guard().or_else(|| block::adopt(&THREAD_BLOCKS, &ARENA));
    let lent = || block::borrow(&THREAD_BLOCKS, &ARENA).map(Owner::Lent);
    let owner = own.map(Owner::Own).or_else(lent)?;
    let mut any = AnyGuard { owner, state: STATE.load() };
    // All unloads that the state knows of, and maybe later ones.
    fence(Acquire);
    any.get_mut().forget_unloaded(MODULES.unloads());
    Some(any)
}

/// An event for which there is no memory at all.
#[cold]
pub(super) fn note_unheld() {
    UNHELD.fetch_add(1, Relaxed);
}

#[cold]
pub(super) fn note_overrun() {
    match any_guard() {
        Some(any) => add(&any.get().tally.overruns, 1),
        None => note_unheld(),
    }
}

/// Adds to what the recorder has from the inner allocator, if that is who calls.
pub(super) fn note_own(chunk_bytes: u64) {
    if block::is_internal() {
        OWN_CHUNK_BYTES.fetch_add(chunk_bytes, Relaxed);
    }
}

/// Counts an event of a block with this birth, if it belongs to the recording that runs: in the
/// thread's own block, or in another if that cannot be. The recorder's threads count here as well:
/// what they free may be the program's.
///
/// `count` says whether there was memory for it; if not, that is counted instead.
pub(super) fn with_guard_for(birth: Birth, count: impl FnOnce(&ThreadBlock, State) -> bool) {
    if birth.site() == SiteIndex::NONE {
        return;
    }
    let Some(any) = any_guard() else { return note_unheld() };
    if counts(any.state, birth) && !count(any.get(), any.state) {
        add(&any.get().tally.uncounted, 1);
    }
}

/// Counts the end of a block that was there before the recording that runs, if one does. What the
/// recorder's own threads free is not the program's.
pub(super) fn note_freed_from_before(birth: Birth) {
    let state = STATE.load();
    if !state.is_recording() || counts(state, birth) || block::is_internal() {
        return;
    }
    if let Some(any) = any_guard() {
        add(&any.get().tally.freed_from_before, 1);
    }
}

/// Whether a block belongs to the recording that runs now.
#[inline]
fn counts(state: State, birth: Birth) -> bool {
    state.is_recording()
        && birth.site() != SiteIndex::NONE
        && birth.key().generation() == state.key().generation()
}
