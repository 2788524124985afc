//! Thread blocks: everything one thread owns.
//!
//! A block is claimed by a thread at its first recorded allocation and released when the thread
//! ends; the next new thread takes it over with its sums in it (see [`crate::registry`]).
//!
//! Two kinds of calls find no block of their own: those of a thread that is past its end (other
//! libraries' destructors still allocate), and those of a signal handler that interrupted the hook.
//! They borrow a free block for the one call, so that they are counted like all others.

#![forbid(unsafe_code)]

use core::cell::Cell;

use crate::arena::{Arena, Link};
use crate::counters::SlotChunks;
use crate::memo::{Context, Memo};
use crate::registry::{self, Node, Registry};
use crate::sampling::table::Chunk;
use crate::sync::Ordering::Relaxed;
use crate::sync::{AtomicU32, AtomicU64, signal_fence};
use crate::unwind::{RuleCache, Scratch};

const IDLE: u32 = 0;
const IN_USE: u32 = 1;
const BORROWED: u32 = 2;

/// All that belongs to one thread; single writer, except for `owner`.
#[derive(Debug)]
pub(crate) struct ThreadBlock {
    owner: AtomicU32,
    /// Whether the hook is at work on this block; a second entry comes from a signal handler.
    busy: AtomicU32,
    /// Unloaded modules that `rules` knows of.
    unloads_seen: AtomicU32,
    next: Link<ThreadBlock>,
    pub(crate) tally: Tally,
    pub(crate) slots: SlotChunks,
    pub(crate) memo: Memo,
    pub(crate) rules: RuleCache,
    pub(crate) scratch: Scratch,
    /// For the next sampled block, should its bucket of the side table be full.
    pub(crate) spare: Link<Chunk>,
}

/// What one thread could not do, or did the long way; cumulative over the process's life.
#[derive(Debug)]
pub(crate) struct Tally {
    /// Stacks that had to be unwound.
    pub(crate) misses: AtomicU64,
    /// Of these, stacks that cannot be remembered.
    pub(crate) uncacheable: AtomicU64,
    /// Blocks not counted for want of memory.
    pub(crate) uncounted: AtomicU64,
    /// Sampled blocks that found no room in the side table.
    pub(crate) unsampled: AtomicU64,
    /// Blocks whose record was not intact.
    pub(crate) overruns: AtomicU64,
}

impl ThreadBlock {
    /// Marks the block as in use by the hook; false if it already was.
    #[inline(always)]
    pub(crate) fn enter(&self) -> bool {
        if self.busy.load(Relaxed) != IDLE {
            return false;
        }
        self.busy.store(IN_USE, Relaxed);
        signal_fence();
        true
    }

    /// Marks a block as in use that was claimed for one call.
    pub(crate) fn enter_borrowed(&self) {
        self.busy.store(BORROWED, Relaxed);
    }

    /// Ends the use of a block that the thread owns.
    #[inline(always)]
    pub(crate) fn leave(&self) {
        signal_fence();
        self.busy.store(IDLE, Relaxed);
    }

    /// Ends the use of a block that may be borrowed, and then is given back.
    #[inline(always)]
    pub(crate) fn let_go(&self) {
        let borrowed = self.busy.load(Relaxed) == BORROWED;
        self.leave();
        if borrowed {
            self.release();
        }
    }

    /// Drops the rules of addresses that may mean something else since modules were unloaded.
    pub(crate) fn forget_unloaded(&self, context: Context) {
        if self.unloads_seen.load(Relaxed) != context.unloads() {
            self.rules.clear();
            self.unloads_seen.store(context.unloads(), Relaxed);
        }
    }

    /// Gives the block up; its counts stay. The next owner sees them.
    #[cold]
    pub(crate) fn release(&self) {
        registry::release(self);
    }
}

impl Node for ThreadBlock {
    fn owner(&self) -> &AtomicU32 {
        &self.owner
    }

    fn next(&self) -> &Link<Self> {
        &self.next
    }
}

/// What the calling thread is to the hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It has not been seen, or it has a block.
    Ordinary,
    /// It works for the recorder: what it allocates is not the program's.
    Internal,
    /// It is past its end: its block was released.
    Gone,
}

thread_local! {
    static BLOCK: Cell<Option<&'static ThreadBlock>> = const { Cell::new(None) };
    static STANDING: Cell<Standing> = const { Cell::new(Standing::Ordinary) };
}

/// The calling thread's block, if it has one.
#[inline(always)]
pub(crate) fn own_block() -> Option<&'static ThreadBlock> {
    BLOCK.try_with(Cell::get).ok().flatten()
}

/// Whether the calling thread works for the recorder.
pub(crate) fn is_internal() -> bool {
    STANDING.try_with(Cell::get) == Ok(Standing::Internal)
}

/// Gives an ordinary thread a block of its own; `None` for all others and without memory.
pub(crate) fn adopt(
    registry: &Registry<ThreadBlock>,
    arena: &Arena,
) -> Option<&'static ThreadBlock> {
    if STANDING.try_with(Cell::get) != Ok(Standing::Ordinary) {
        return None;
    }
    let block = registry.claim(arena)?;
    let here = 0u8;
    block.memo.hand_over(core::ptr::from_ref(&here).addr() as u64);
    BLOCK.try_with(|own| own.set(Some(block))).ok()?;
    crate::sys::at_thread_exit(block);
    Some(block)
}

/// Called when a thread ends, with its block.
pub(crate) fn retire(block: &ThreadBlock) {
    let _ = STANDING.try_with(|standing| standing.set(Standing::Gone));
    let _ = BLOCK.try_with(|own| own.set(None));
    block.release();
}

/// While it lives, what the calling thread allocates is the recorder's, not the program's.
#[derive(Debug)]
pub(crate) struct InternalGuard {
    block: Option<&'static ThreadBlock>,
    standing: Standing,
}

impl InternalGuard {
    pub(crate) fn enter() -> Self {
        let block = BLOCK.try_with(|own| own.replace(None)).ok().flatten();
        let standing = STANDING.try_with(|standing| standing.replace(Standing::Internal));
        Self { block, standing: standing.unwrap_or(Standing::Gone) }
    }
}

impl Drop for InternalGuard {
    fn drop(&mut self) {
        let _ = STANDING.try_with(|standing| standing.set(self.standing));
        let _ = BLOCK.try_with(|own| own.set(self.block));
    }
}
