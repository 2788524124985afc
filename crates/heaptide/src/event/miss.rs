//! A stack that the thread's cache does not know: it is unwound, interned and entered there.
//!
//! This is the only place where a stack is walked. It holds no lock, of ours, of the loader or of the C
//! library, and allocates nothing.

#![forbid(unsafe_code)]

use crate::globals::{
    ARENA, BUDGET, COUNT_CONTEXT, MODULES, Unwinder, frames_kept, keep_fewer_frames, note_unloads,
    tables, unwinder,
};
use crate::shared::sites::StackRef;
use crate::shared::trailer::SiteIndex;
use crate::sync::Ordering::Acquire;
use crate::sync::{add, fence};
use crate::thread::block::{BlockGuard, ThreadBlock};
use crate::thread::stack_cache::entry::EntryBuilder;
use crate::thread::stack_cache::storage::CacheMemory;
use crate::unwind::modules::ModuleFinder;
use crate::unwind::{Caller, Outcome, Rule, StackMemory, walk};

/// The site of a stack, after a walk; `None` without memory.
#[cold]
#[inline(never)]
pub(super) fn resolve_miss(
    guard: &mut BlockGuard,
    stack: impl StackMemory,
    caller: Caller,
) -> Option<SiteIndex> {
    // The tables were set before the state said so.
    fence(Acquire);
    tables()?;
    // Before anything that was learned of an address is used: is its module still there?
    MODULES.look_for_unloads();
    note_unloads();
    let unloads = MODULES.unloads();
    guard.forget_unloaded(unloads);
    let (block, tag) = (guard.block(), guard.stack_cache().tag());
    let mut entry = EntryBuilder::new(guard.stack_cache_mut(), caller);
    let mut outcome = unwind(block, stack, caller, &mut entry);
    if MODULES.unloads() != unloads {
        // The walk came through a module that is where another had been, and may have used what was
        // learned of that one. All modules on this stack are known now.
        note_unloads();
        guard.forget_unloaded(MODULES.unloads());
        entry = EntryBuilder::new(guard.stack_cache_mut(), caller);
        outcome = unwind(block, stack, caller, &mut entry);
    }
    let tally = &block.tally;
    add(&tally.misses, 1);
    add(&tally.uncacheable, u64::from(!entry.usable));
    let site = intern(block, outcome, tag);
    let slot = COUNT_CONTEXT.slot_for(&block.slots, site)?;
    entry.commit(CacheMemory { arena: &ARENA, budget: &BUDGET }, slot);
    Some(site)
}

/// Walks the stack; its frames are in the block then, each with its module where that must be told.
pub(super) fn unwind(
    block: &ThreadBlock,
    stack: impl StackMemory,
    caller: Caller,
    entry: &mut EntryBuilder<'_>,
) -> Outcome {
    let frames = block.frames.get(..frames_kept() as usize).unwrap_or(&block.frames);
    let outcome = match unwinder() {
        Unwinder::EhFrame => {
            let mut modules = ModuleFinder::new(&MODULES, &ARENA);
            walk(stack, caller, frames, entry, |address| {
                let Some(module) = modules.module_at(address) else { return Rule::Unknown };
                block.rules.rule(address, || module.rule_of(address))
            })
        }
        #[cfg(any(
            feature = "names",
            not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))
        ))]
        Unwinder::Backtrace => crate::unwind::fallback::walk(frames, entry),
    };
    MODULES.tell_apart(frames.get(..outcome.n_frames).unwrap_or(&[]));
    outcome
}

/// The site of the stack that was just unwound.
pub(super) fn intern(block: &ThreadBlock, outcome: Outcome, tag: u32) -> SiteIndex {
    let frames = block.frames.get(..outcome.n_frames).unwrap_or(&[]);
    let stack = StackRef { frames, tag, truncated: outcome.truncated };
    let Some(tables) = tables() else { return SiteIndex::OVERFLOW };
    let site = tables.sites.intern(&ARENA, stack);
    keep_fewer_frames(&tables.sites);
    site
}
