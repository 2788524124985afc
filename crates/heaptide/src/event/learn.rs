//! A stack that is not remembered: it is unwound, interned and remembered.

#![forbid(unsafe_code)]

use crate::globals::{ARENA, MODULES, Unwinder, note_unloads, tables, unwinder};
use crate::shared::sites::StackRef;
use crate::shared::trailer::SiteIndex;
use crate::sync::Ordering::Acquire;
use crate::sync::{add, fence};
use crate::thread::block::{Hold, ThreadBlock};
use crate::thread::counters::slot::{self as counters, SiteSlot};
use crate::thread::stack_cache::entry::Draft;
use crate::unwind::modules::ModuleFinder;
use crate::unwind::{Caller, Outcome, Rule, StackMemory, fallback, walk};

/// Unwinds, interns, remembers.
#[cold]
#[inline(never)]
pub(super) fn learn(
    hold: &mut Hold,
    stack: impl StackMemory,
    caller: Caller,
) -> Option<&'static SiteSlot> {
    // The tables were set before the state said so.
    fence(Acquire);
    tables()?;
    // Before anything that was learned of an address is used: is its module still there?
    MODULES.look_for_unloads();
    let state = note_unloads();
    hold.forget_unloaded(state);
    let (block, tag, unloads) = (hold.block(), hold.memo().tag(), MODULES.unloads());
    let mut draft = Draft::new(hold.memo_mut(), caller);
    let mut outcome = unwind(block, stack, caller, &mut draft);
    if MODULES.unloads() != unloads {
        // The walk came through a module that is where another had been, and may have used what was
        // learned of that one. All modules on this stack are known now.
        hold.forget_unloaded(note_unloads());
        draft = Draft::new(hold.memo_mut(), caller);
        outcome = unwind(block, stack, caller, &mut draft);
    }
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

pub(super) fn unwind(
    block: &ThreadBlock,
    stack: impl StackMemory,
    caller: Caller,
    draft: &mut Draft<'_>,
) -> Outcome {
    if unwinder() == Unwinder::EhFrame {
        let mut modules = ModuleFinder::new(&MODULES, &ARENA);
        walk(stack, caller, &block.frames, draft, |address| {
            let Some(module) = modules.module_at(address) else { return Rule::Unknown };
            let rule = || module.rule_of(address);
            if block.can_tell_unloads() { block.rules.rule(address, rule) } else { rule() }
        })
    } else {
        fallback::walk(&block.frames, draft)
    }
}

/// The site of the stack that was just unwound.
pub(super) fn intern(block: &ThreadBlock, outcome: Outcome, tag: u32) -> SiteIndex {
    let frames = block.frames.get(..outcome.n_frames).unwrap_or(&[]);
    let layout = MODULES.layout_of(frames);
    let stack = StackRef { frames, tag, truncated: outcome.truncated, layout };
    tables().map_or(SiteIndex::OVERFLOW, |tables| tables.sites.intern(&ARENA, stack))
}
