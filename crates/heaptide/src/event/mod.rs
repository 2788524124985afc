//! What an event means: the block's site, its record, the counts.
//!
//! The seams of the design meet here and nowhere else: *stack → site* ([`crate::thread::stack_cache`],
//! [`crate::unwind`], [`crate::shared::sites`]), *block record* ([`crate::shared::trailer`]), *counters*
//! ([`crate::thread::counters`]), *epoch* ([`crate::shared::state`]).

#![forbid(unsafe_code)]

pub(crate) mod sampled;

use crate::globals::{
    ARENA, MODULES, REGISTRY, STATE, UNHELD, Unwinder, refresh_modules, surroundings, tables,
    unwinder,
};
use crate::shared::sites::StackRef;
use crate::shared::state::State;
use crate::shared::trailer::{Birth, Record, SiteIndex};
use crate::sync::Ordering::{Acquire, Relaxed};
use crate::sync::{add, fence};
use crate::thread::block::{self, Hold, Loan, ThreadBlock};
use crate::thread::counters::slot::{self as counters, SiteSlot};
use crate::thread::stack_cache::entry::Draft;
use crate::thread::stack_cache::{Fork, Found};
use crate::unwind::{Caller, Outcome, StackMemory, fallback, walk};

/// Where the block counts that the hook is about to make.
#[derive(Debug)]
pub(crate) struct Expected<H> {
    hold: H,
    slot: &'static SiteSlot,
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
#[inline(always)]
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

/// Counts the block that was expected, and says what its record is to be.
#[inline(always)]
pub(crate) fn born(expected: Expected<Hold>, addr: usize, size: usize) -> Record {
    Record::new(addr, expected.slot.birth_again(size as u64))
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

/// Counts a block the long way: the first at its site, or in its epoch, or larger than any. Says
/// what its record is to be.
pub(crate) fn born_slowly(expected: &Expected<AnyHold>, addr: usize, size: usize) -> Record {
    let birth = expected.slot.birth(surroundings(), expected.hold.state, size as u64);
    add(&expected.hold.get().tally.uncounted, u64::from(birth.is_none()));
    Record::new(addr, birth.unwrap_or(Birth::UNCOUNTED))
}

/// Counts the end of a block that is about to go.
///
/// The quick way needs no look at the phase: a slot is current only while the recording runs that
/// it counts for.
#[inline(always)]
pub(crate) fn death(state: State, record: Record, addr: usize, size: usize) {
    let birth = record.read(addr);
    if let Some(hold) = block::hold_own()
        && counters::death_again(&hold.slots, state, birth, size as u64)
    {
        return;
    }
    death_slowly(birth, size);
}

#[cold]
#[inline(never)]
fn death_slowly(birth: Birth, size: usize) {
    if !birth.is_intact() {
        return note_overrun();
    }
    with_block_of(birth, |block, state| {
        if !counters::death(&block.slots, surroundings(), state, birth, size as u64) {
            add(&block.tally.uncounted, 1);
        }
    });
}

/// Counts a block that was resized, and says what its record is to be.
pub(crate) fn resize(
    record: Record,
    (old_addr, old_size): (usize, usize),
    (new_addr, new_size): (usize, usize),
) -> Record {
    let birth = record.read(old_addr);
    if !birth.is_intact() {
        note_overrun();
        return Record::new(new_addr, Birth::UNCOUNTED);
    }
    let (old, new) = (old_size as u64, new_size as u64);
    with_block_of(birth, |block, state| {
        if !counters::resize(&block.slots, surroundings(), state, birth, old, new) {
            add(&block.tally.uncounted, 1);
        }
    });
    Record::new(new_addr, birth)
}

/// Whether a block belongs to the recording that runs now.
#[inline]
fn counts(state: State, birth: Birth) -> bool {
    state.is_recording()
        && birth.site() != SiteIndex::NONE
        && birth.key().generation() == state.key().generation()
}

/// Unwinds, interns, remembers.
#[cold]
#[inline(never)]
fn learn(hold: &mut Hold, stack: impl StackMemory, caller: Caller) -> Option<&'static SiteSlot> {
    // The tables were set before the state said so.
    fence(Acquire);
    tables()?;
    // Before any table is looked at: is it still there?
    hold.forget_unloaded(refresh_modules());
    let block = hold.block();
    let tag = hold.memo().tag();
    let mut draft = Draft::new(hold.memo_mut(), caller);
    let outcome = unwind(block, stack, caller, &mut draft);
    let tally = &block.tally;
    add(&tally.misses, 1);
    add(&tally.uncacheable, u64::from(!draft.usable));
    let site = intern(block, outcome, tag);
    let Some(slot) = counters::slot(&block.slots, &ARENA, site) else {
        add(&tally.uncounted, 1);
        return None;
    };
    if block.can_tell_unloads() {
        draft.commit(slot);
    }
    Some(slot)
}

fn unwind(
    block: &ThreadBlock,
    stack: impl StackMemory,
    caller: Caller,
    draft: &mut Draft<'_>,
) -> Outcome {
    if unwinder() == Unwinder::EhFrame {
        walk(stack, caller, &block.scratch, draft, |address| {
            let rule = || MODULES.rule_of(address);
            if block.can_tell_unloads() { block.rules.rule(address, rule) } else { rule() }
        })
    } else {
        fallback::walk(&block.scratch, draft)
    }
}

/// The site of the stack that was just unwound.
fn intern(block: &ThreadBlock, outcome: Outcome, tag: u32) -> SiteIndex {
    let frames = block.scratch.get(..outcome.n_frames).unwrap_or(&[]);
    let layout = MODULES.layout_of(frames);
    let stack = StackRef { frames, tag, truncated: outcome.truncated, layout };
    tables().map_or(SiteIndex::OVERFLOW, |tables| tables.sites.intern(&ARENA, stack))
}

/// Counts an event of a block with this birth, if it belongs to the recording that runs: in the
/// thread's own block, or in another if that cannot be. The recorder's threads count here as well:
/// what they free may be the program's.
fn with_block_of(birth: Birth, count: impl FnOnce(&ThreadBlock, State)) {
    if birth.site() == SiteIndex::NONE {
        return;
    }
    if let Some(any) = hold_any()
        && counts(any.state, birth)
    {
        count(any.get(), any.state);
    }
}

/// The block that a call of the hook works on, and the state since then.
#[derive(Debug)]
pub(crate) struct AnyHold {
    whose: Whose,
    state: State,
}

#[derive(Debug)]
enum Whose {
    /// The thread's own.
    Own(Hold),
    /// Another, for this call.
    Lent(Loan),
}

impl AnyHold {
    fn get(&self) -> &Hold {
        match &self.whose {
            Whose::Own(hold) => hold,
            Whose::Lent(loan) => loan.hold(),
        }
    }

    fn get_mut(&mut self) -> &mut Hold {
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
fn hold_any() -> Option<AnyHold> {
    let own = block::hold_own().or_else(|| block::adopt(&REGISTRY, &ARENA));
    let lent = || block::borrow(&REGISTRY, &ARENA).map(Whose::Lent);
    let Some(whose) = own.map(Whose::Own).or_else(lent) else {
        UNHELD.fetch_add(1, Relaxed);
        return None;
    };
    let mut any = AnyHold { whose, state: STATE.load() };
    let state = any.state;
    any.get_mut().forget_unloaded(state);
    Some(any)
}

#[cold]
fn note_overrun() {
    if let Some(any) = hold_any() {
        add(&any.get().tally.overruns, 1);
    }
}

/// The proof by trial: every stack that the memo recognised is unwound as well.
#[cfg(feature = "verify")]
pub mod verify {
    use super::{Caller, Draft, Hold, Relaxed, SiteSlot, StackMemory, intern, unwind};
    use crate::sync::AtomicU64;

    static COMPARED: AtomicU64 = AtomicU64::new(0);
    static DIFFERENT: AtomicU64 = AtomicU64::new(0);

    /// How many sites were compared with a fresh unwind.
    pub fn n_compared() -> u64 {
        COMPARED.load(Relaxed)
    }

    /// How many of them were not the same; anything but 0 is a bug.
    pub fn n_different() -> u64 {
        DIFFERENT.load(Relaxed)
    }

    #[inline(never)]
    pub(super) fn compare(
        mut hold: Hold,
        stack: impl StackMemory,
        caller: Caller,
        found: &SiteSlot,
    ) -> Hold {
        let (block, tag) = (hold.block(), hold.memo().tag());
        let mut draft = Draft::new(hold.memo_mut(), caller);
        let outcome = unwind(block, stack, caller, &mut draft);
        COMPARED.fetch_add(1, Relaxed);
        if intern(block, outcome, tag) != found.site() {
            DIFFERENT.fetch_add(1, Relaxed);
        }
        hold
    }
}
