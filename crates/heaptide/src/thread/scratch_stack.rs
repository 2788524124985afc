//! Stacks that the hook works on when there is much to do: programs run on stacks that leave it no
//! room.
//!
//! Reading unwind tables takes ten kilobytes and more, three times that in a debug build; a thread
//! may have sixteen in all, a coroutine less, and the standard library's own signal stack is eight.
//! So the long ways run on one of these, for one call at a time. Whoever needs one takes one that is
//! free, or makes one more: there are as many as threads were ever on a long way at once.

#![forbid(unsafe_code)]

use core::ops::Range;

use crate::shared::arena::{Arena, Link, zeroed};
use crate::shared::pool::{self, Node, Pool};
use crate::sync::Ordering::Relaxed;
use crate::sync::{AtomicU32, AtomicU64};
use crate::sys;

/// Four times what a debug build was seen to use, for sanitizers. Of it, only the pages that are
/// used are ever in memory.
const STACK_BYTES: usize = 128 << 10;

zeroed! {
    /// One of them.
    #[derive(Debug)]
    pub(crate) struct ScratchStack {
        owner: AtomicU32,
        next: Link<ScratchStack>,
        /// Where it begins, and grows down from; 0 before it is mapped.
        top: AtomicU64,
    }
}

impl Node for ScratchStack {
    fn owner(&self) -> &AtomicU32 {
        &self.owner
    }

    fn next(&self) -> &Link<Self> {
        &self.next
    }
}

impl ScratchStack {
    /// Where it is; `None` before it is mapped.
    pub(crate) fn mapped(&self) -> Option<Range<u64>> {
        let top = self.top.load(Relaxed);
        (top != 0).then(|| top - STACK_BYTES as u64..top)
    }
}

/// A stack that is the caller's alone until this is dropped.
#[derive(Debug)]
pub(crate) struct Claimed(&'static ScratchStack);

impl Claimed {
    /// Takes a stack; `None` without memory.
    pub(crate) fn claim(stacks: &Pool<ScratchStack>, arena: &Arena) -> Option<Self> {
        let claimed = Self(stacks.claim(arena)?);
        let top = &claimed.0.top;
        if top.load(Relaxed) == 0 {
            top.store(sys::map_stack(STACK_BYTES)?.addr().get() as u64, Relaxed);
        }
        Some(claimed)
    }

    /// One past its highest byte: a multiple of the size of a page.
    pub(crate) fn top(&self) -> u64 {
        self.0.top.load(Relaxed)
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        pool::release(self.0);
    }
}
