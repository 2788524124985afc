//! The proof by trial: every stack that the stack cache recognised is unwound as well.

#![forbid(unsafe_code)]

use super::miss::{intern, unwind};
use crate::globals::{frames_kept, tables};
use crate::shared::sites::SiteEntry;
use crate::sync::AtomicU64;
use crate::sync::Ordering::Relaxed;
use crate::thread::block::BlockGuard;
use crate::thread::counters::slot::SiteSlot;
use crate::thread::stack_cache::entry::EntryBuilder;
use crate::unwind::{Caller, StackMemory};

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
    mut guard: BlockGuard,
    stack: impl StackMemory,
    caller: Caller,
    found: &SiteSlot,
) -> BlockGuard {
    let frames =
        tables().and_then(|it| it.sites.get(found.site())).map_or(&[][..], SiteEntry::frames);
    if frames.len() > frames_kept() as usize {
        // Fewer frames are kept since just now, so a new site would be another.
        return guard;
    }
    let (block, tag) = (guard.block(), guard.stack_cache().tag());
    let mut entry = EntryBuilder::new(guard.stack_cache_mut(), caller);
    let outcome = unwind(block, stack, caller, &mut entry);
    COMPARED.fetch_add(1, Relaxed);
    if intern(block, outcome, tag) != found.site() {
        DIFFERENT.fetch_add(1, Relaxed);
    }
    guard
}
