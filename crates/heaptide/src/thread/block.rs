//! Thread blocks: everything one thread owns.
//!
//! A block is claimed by a thread at its first recorded allocation and released when the thread
//! ends; the next new thread takes it over with its sums in it (see [`crate::shared::pool`]).
//!
//! Two kinds of calls find no block of their own: those of a thread that is past its end (other
//! libraries' destructors still allocate), and those of a signal handler that interrupted the hook.
//! They borrow a free block for the one call, so that they are counted like all others.

use core::cell::{Cell, UnsafeCell};
use core::ffi::c_void;
use core::mem::ManuallyDrop;
use core::ops::Deref;

use crate::shared::arena::{Arena, Link, zeroed};
use crate::shared::pool::{self, Node, Registry};
use crate::shared::samples::Chunk;
use crate::shared::state::{MAX_UNLOADS, State};
use crate::sync::Ordering::Relaxed;
use crate::sync::{AtomicU32, AtomicU64, signal_fence};
use crate::thread::counters::slot::SlotChunks;
use crate::thread::stack_cache::Memo;
use crate::unwind::{FrameBuffer, RuleCache};

const IDLE: u32 = 0;
const IN_USE: u32 = 1;

zeroed! {
    /// All that belongs to one thread. The recorder reads the counts; nobody else reads the rest.
    #[derive(Debug)]
    pub(crate) struct ThreadBlock {
        owner: AtomicU32,
        /// Whether the hook is at work on this block; a second entry comes from a signal handler.
        busy: AtomicU32,
        /// Unloaded modules that `rules` and `memo` know of.
        unloads_seen: AtomicU32,
        next: Link<ThreadBlock>,
        pub(crate) tally: Tally,
        pub(crate) slots: SlotChunks,
        memo: UnsafeCell<Memo>,
        pub(crate) rules: RuleCache,
        pub(crate) frames: FrameBuffer,
        /// For the next sampled block, should its bucket of the side table be full.
        pub(crate) spare: Link<Chunk>,
    }
}

zeroed! {
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
}

// SAFETY: `memo`, all that is not made for sharing, is reached through a `Hold` only, and a block
// has one at a time.
unsafe impl Sync for ThreadBlock {}

impl ThreadBlock {
    /// Marks the block as in use by the hook; `None` if it already was.
    ///
    /// Only the thread that owns the block may ask.
    #[inline(always)]
    fn enter(&'static self) -> Option<Hold> {
        if self.busy.load(Relaxed) != IDLE {
            return None;
        }
        self.busy.store(IN_USE, Relaxed);
        signal_fence();
        Some(Hold { block: self })
    }

    /// Whether the next unload would be noticed: they are not counted without end.
    #[inline]
    pub(crate) fn can_tell_unloads(&self) -> bool {
        self.unloads_seen.load(Relaxed) < MAX_UNLOADS
    }

    /// Gives the block up; its counts stay. The next owner sees them.
    #[cold]
    fn release(&self) {
        pool::release(self);
    }
}

/// A block in use by one call of the hook, and by nothing else.
///
/// Three things make it the only one of its block: a block has one owner ([`crate::shared::pool`]),
/// [`BLOCK`] is the owner's alone, and `busy` keeps out the hook that a signal handler calls.
#[derive(Debug)]
pub(crate) struct Hold {
    block: &'static ThreadBlock,
}

impl Deref for Hold {
    type Target = ThreadBlock;

    #[inline(always)]
    fn deref(&self) -> &ThreadBlock {
        self.block
    }
}

impl Drop for Hold {
    #[inline(always)]
    fn drop(&mut self) {
        signal_fence();
        self.busy.store(IDLE, Relaxed);
    }
}

impl Hold {
    /// The block itself, for what is made for sharing.
    pub(crate) fn block(&self) -> &'static ThreadBlock {
        self.block
    }

    #[inline(always)]
    pub(crate) fn memo(&self) -> &Memo {
        // SAFETY: a block has one `Hold`, and it is borrowed for as long as the memo.
        unsafe { &*self.block.memo.get() }
    }

    pub(crate) fn memo_mut(&mut self) -> &mut Memo {
        // SAFETY: a block has one `Hold`, and it is borrowed mutably for as long as the memo.
        unsafe { &mut *self.block.memo.get() }
    }

    /// Drops what was learned of addresses that may mean something else since modules were
    /// unloaded, as `state` says.
    pub(crate) fn forget_unloaded(&mut self, state: State) {
        if self.unloads_seen.load(Relaxed) < state.unloads() {
            self.rules.clear();
            self.memo_mut().clear();
            self.unloads_seen.store(state.unloads(), Relaxed);
        }
    }
}

/// A block borrowed for one call by a thread that has none to use.
#[derive(Debug)]
pub(crate) struct Loan {
    hold: ManuallyDrop<Hold>,
}

impl Loan {
    pub(crate) fn hold(&self) -> &Hold {
        &self.hold
    }

    pub(crate) fn hold_mut(&mut self) -> &mut Hold {
        &mut self.hold
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        let block = self.hold.block;
        // SAFETY: `hold` is dropped here and nowhere else. First, so that whoever claims the block
        // next finds it idle.
        unsafe { ManuallyDrop::drop(&mut self.hold) };
        block.release();
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

/// The calling thread's block, if it has one and no other call of the hook is at work on it.
#[inline(always)]
pub(crate) fn hold_own() -> Option<Hold> {
    own_block()?.enter()
}

#[inline(always)]
fn own_block() -> Option<&'static ThreadBlock> {
    BLOCK.try_with(Cell::get).ok().flatten()
}

/// Whether the calling thread works for the recorder.
pub(crate) fn is_internal() -> bool {
    STANDING.try_with(Cell::get) == Ok(Standing::Internal)
}

/// Gives an ordinary thread that has none a block of its own; `None` for all others and without
/// memory.
pub(crate) fn adopt(registry: &Registry<ThreadBlock>, arena: &Arena) -> Option<Hold> {
    if own_block().is_some() || STANDING.try_with(Cell::get) != Ok(Standing::Ordinary) {
        return None;
    }
    let block = registry.claim(arena)?;
    let mut hold = block.enter()?;
    if own_block().is_some() {
        // A signal handler came first.
        drop(hold);
        block.release();
        return None;
    }
    // The hook may be on a stack of its own; but what is a thread's own lies at the same distance
    // from its stack in every thread, or at least stays where it is.
    let near = BLOCK.try_with(|own| core::ptr::from_ref(own).addr()).ok()?;
    hold.memo_mut().hand_over(near as u64);
    BLOCK.try_with(|own| own.set(Some(block))).ok()?;
    crate::sys::at_thread_exit(block);
    Some(hold)
}

/// Lends any free block; `None` without memory.
pub(crate) fn borrow(registry: &Registry<ThreadBlock>, arena: &Arena) -> Option<Loan> {
    let mut hold = registry.claim(arena)?.enter()?;
    hold.memo_mut().set_tag(0);
    Some(Loan { hold: ManuallyDrop::new(hold) })
}

/// The end of a thread, called by the C library with what [`adopt`] left there.
///
/// # Safety
/// `block` must be the block that this thread adopted.
pub(crate) unsafe extern "C" fn thread_ended(block: *mut c_void) {
    // SAFETY: the caller's promise; blocks live as long as the process.
    retire(unsafe { &*block.cast::<ThreadBlock>() });
}

/// Called when a thread ends, with its block.
fn retire(block: &ThreadBlock) {
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
        // In this order, and back in the other: a signal handler in between must not adopt a block.
        let standing = STANDING.try_with(|standing| standing.replace(Standing::Internal));
        let block = BLOCK.try_with(|own| own.replace(None)).ok().flatten();
        Self { block, standing: standing.unwrap_or(Standing::Gone) }
    }
}

impl Drop for InternalGuard {
    fn drop(&mut self) {
        let _ = BLOCK.try_with(|own| own.set(self.block));
        let _ = STANDING.try_with(|standing| standing.set(self.standing));
    }
}
