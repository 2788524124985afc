//! The thread block that an event counts in: the thread's own, or one borrowed for the call.

#![forbid(unsafe_code)]

use crate::globals::{ARENA, REGISTRY, STATE, UNHELD};
use crate::shared::state::State;
use crate::shared::trailer::{Birth, SiteIndex};
use crate::sync::Ordering::Relaxed;
use crate::sync::add;
use crate::thread::block::{self, Hold, Loan, ThreadBlock};

/// The block that a call of the hook works on, and the state since then.
#[derive(Debug)]
pub(crate) struct AnyHold {
    whose: Whose,
    pub(super) state: State,
}

#[derive(Debug)]
enum Whose {
    /// The thread's own.
    Own(Hold),
    /// Another, for this call.
    Lent(Loan),
}

impl AnyHold {
    pub(super) fn get(&self) -> &Hold {
        match &self.whose {
            Whose::Own(hold) => hold,
            Whose::Lent(loan) => loan.hold(),
        }
    }

    pub(super) fn get_mut(&mut self) -> &mut Hold {
        match &mut self.whose {
            Whose::Own(hold) => hold,
            Whose::Lent(loan) => loan.hold_mut(),
        }
    }
}

/// A block for the caller alone, which knows of all unloads in its state. The calling thread's own;
/// another for a thread that has none yet, or none any more, or whose block is in use by the very
/// call that a signal handler interrupted. `None` without memory, which is counted.
///
/// The state is read when the block is held: whoever had it before counted under no later one.
pub(super) fn hold_any() -> Option<AnyHold> {
    let own = block::hold_own().or_else(|| block::adopt(&REGISTRY, &ARENA));
    let lent = || block::borrow(&REGISTRY, &ARENA).map(Whose::Lent);
    let Some(whose) = own.map(Whose::Own).or_else(lent) else {
        note_unheld();
        return None;
    };
    let mut any = AnyHold { whose, state: STATE.load() };
    let state = any.state;
    any.get_mut().forget_unloaded(state);
    Some(any)
}

/// An event for which there is no memory at all.
#[cold]
pub(super) fn note_unheld() {
    UNHELD.fetch_add(1, Relaxed);
}

#[cold]
pub(super) fn note_overrun() {
    if let Some(any) = hold_any() {
        add(&any.get().tally.overruns, 1);
    }
}

/// Counts an event of a block with this birth, if it belongs to the recording that runs: in the
/// thread's own block, or in another if that cannot be. The recorder's threads count here as well:
/// what they free may be the program's.
pub(super) fn with_block_of(birth: Birth, count: impl FnOnce(&ThreadBlock, State)) {
    if birth.site() == SiteIndex::NONE {
        return;
    }
    if let Some(any) = hold_any()
        && counts(any.state, birth)
    {
        count(any.get(), any.state);
    }
}

/// Whether a block belongs to the recording that runs now.
#[inline]
fn counts(state: State, birth: Birth) -> bool {
    state.is_recording()
        && birth.site() != SiteIndex::NONE
        && birth.key().generation() == state.key().generation()
}
