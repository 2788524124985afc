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
use crate::shared::pool::{self, Node, Pool};
use crate::shared::samples::Chunk;
use crate::sync::Ordering::Relaxed;
use crate::sync::{AtomicU32, AtomicU64, signal_fence};
use crate::thread::counters::own::OwnSlots;
use crate::thread::stack_cache::StackCache;
use crate::unwind::{FrameBuffer, RuleCache};

const IDLE: u32 = 0;
const IN_USE: u32 = 1;

zeroed! {
    /// All that belongs to one thread. The recorder reads the counts; nobody else reads the rest.
    ///
    /// In this order, so that every event finds what it touches in the first cache line: an allocation the
    /// head of the stack cache as well.
    #[derive(Debug)]
    #[repr(C, align(64))]
    pub(crate) struct ThreadBlock {
        owner: AtomicU32,
        /// Whether the hook is at work on this block; a second entry comes from a signal handler.
        busy: AtomicU32,
        /// What the counted blocks take in the inner allocator, by its rounding: of those made here, less
        /// of those that ended here. Wraps below zero.
        pub(crate) chunk_bytes: AtomicU64,
        stack_cache: UnsafeCell<StackCache>,
        pub(crate) slots: OwnSlots,
        next: Link<ThreadBlock>,
        /// How many unloads `rules` and `stack_cache` know of.
        unloads_seen: AtomicU32,
        pub(crate) tally: Tally,
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
        /// Blocks freed that were there before the recording.
        pub(crate) freed_from_before: AtomicU64,
        /// Sampled blocks that found no room in the side table.
        pub(crate) unsampled: AtomicU64,
        /// Blocks whose trailer was not intact.
        pub(crate) overruns: AtomicU64,
    }
}

// SAFETY: `stack_cache`, all that is not made for sharing, is reached through a `BlockGuard` only, and a
// block has one at a time. What a look-up leaves of it to be read later, a `Divergence`, is handed on with
// the guard and read by the same call.
unsafe impl Sync for ThreadBlock {}

impl ThreadBlock {
    /// Marks the block as in use by the hook; `None` if it already was.
    ///
    /// Only the thread that owns the block may ask.
    #[inline(always)]
    fn enter(&'static self) -> Option<BlockGuard> {
        if self.busy.load(Relaxed) != IDLE {
            return None;
        }
        self.busy.store(IN_USE, Relaxed);
        signal_fence();
        Some(BlockGuard { block: self })
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
pub(crate) struct BlockGuard {
    block: &'static ThreadBlock,
}

impl Deref for BlockGuard {
    type Target = ThreadBlock;

    #[inline(always)]
    fn deref(&self) -> &ThreadBlock {
        self.block
    }
}

impl Drop for BlockGuard {
    #[inline(always)]
    fn drop(&mut self) {
        signal_fence();
        self.busy.store(IDLE, Relaxed);
    }
}

impl BlockGuard {
    /// The block itself, for what is made for sharing.
    pub(crate) fn block(&self) -> &'static ThreadBlock {
        self.block
    }

    #[inline(always)]
    pub(crate) fn stack_cache(&self) -> &StackCache {
        // SAFETY: a block has one `BlockGuard`, and it is borrowed for as long as the stack cache.
        unsafe { &*self.block.stack_cache.get() }
    }

    pub(crate) fn stack_cache_mut(&mut self) -> &mut StackCache {
        // SAFETY: a block has one `BlockGuard`, and it is borrowed mutably for as long as the stack cache.
        unsafe { &mut *self.block.stack_cache.get() }
    }

    /// Drops what was learned of addresses that may mean something else if there were more unloads
    /// since then than are known here.
    pub(crate) fn forget_unloaded(&mut self, unloads: u32) {
        if self.unloads_seen.load(Relaxed) != unloads {
            self.rules.clear();
            self.stack_cache_mut().clear();
            self.unloads_seen.store(unloads, Relaxed);
        }
    }
}

/// A block borrowed for one call by a thread that has none to use.
#[derive(Debug)]
pub(crate) struct BorrowedGuard {
    guard: ManuallyDrop<BlockGuard>,
}

impl BorrowedGuard {
    pub(crate) fn guard(&self) -> &BlockGuard {
        &self.guard
    }

    pub(crate) fn guard_mut(&mut self) -> &mut BlockGuard {
        &mut self.guard
    }
}

impl Drop for BorrowedGuard {
    fn drop(&mut self) {
        let block = self.guard.block;
        // SAFETY: `guard` is dropped here and nowhere else. First, so that whoever claims the block
        // next finds it idle.
        unsafe { ManuallyDrop::drop(&mut self.guard) };
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
enum ThreadRole {
    /// It has not been seen, or it has a block.
    Program,
    /// It works for the recorder: what it allocates is not the program's.
    Recorder,
    /// It is the recorder's own, and works for nobody else.
    RecorderThread,
    /// It is past its end: its block was released.
    Ended,
}

thread_local! {
    static BLOCK: Cell<Option<&'static ThreadBlock>> = const { Cell::new(None) };
    static ROLE: Cell<ThreadRole> = const { Cell::new(ThreadRole::Program) };
}

/// The calling thread's block, if it has one and no other call of the hook is at work on it.
#[inline(always)]
pub(crate) fn own_guard() -> Option<BlockGuard> {
    own_block()?.enter()
}

#[inline(always)]
fn own_block() -> Option<&'static ThreadBlock> {
    BLOCK.try_with(Cell::get).ok().flatten()
}

/// Whether the calling thread works for the recorder.
pub(crate) fn is_internal() -> bool {
    matches!(ROLE.try_with(Cell::get), Ok(ThreadRole::Recorder | ThreadRole::RecorderThread))
}

/// Whether the calling thread is the recorder's own.
pub(crate) fn is_recorder_thread() -> bool {
    ROLE.try_with(Cell::get) == Ok(ThreadRole::RecorderThread)
}

/// Gives an ordinary thread that has none a block of its own; `None` for all others and without
/// memory.
pub(crate) fn adopt(pool: &Pool<ThreadBlock>, arena: &Arena) -> Option<BlockGuard> {
    if own_block().is_some() || ROLE.try_with(Cell::get) != Ok(ThreadRole::Program) {
        return None;
    }
    let block = pool.claim(arena)?;
    let mut guard = block.enter()?;
    if own_block().is_some() {
        // A signal handler came first.
        drop(guard);
        block.release();
        return None;
    }
    // The hook may be on a stack of its own; but what is a thread's own lies at the same distance
    // from its stack in every thread, or at least stays where it is.
    let near = BLOCK.try_with(|own| core::ptr::from_ref(own).addr()).ok()?;
    guard.stack_cache_mut().reset_for_thread(near as u64);
    BLOCK.try_with(|own| own.set(Some(block))).ok()?;
    crate::sys::at_thread_exit(block);
    Some(guard)
}

/// Lends any free block; `None` without memory.
pub(crate) fn borrow(pool: &Pool<ThreadBlock>, arena: &Arena) -> Option<BorrowedGuard> {
    let mut guard = pool.claim(arena)?.enter()?;
    guard.stack_cache_mut().set_tag(0);
    Some(BorrowedGuard { guard: ManuallyDrop::new(guard) })
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
    let _ = ROLE.try_with(|role| role.set(ThreadRole::Ended));
    let _ = BLOCK.try_with(|own| own.set(None));
    block.release();
}

/// While it lives, what the calling thread allocates is the recorder's, not the program's.
#[derive(Debug)]
pub(crate) struct InternalGuard {
    block: Option<&'static ThreadBlock>,
    role: ThreadRole,
}

impl InternalGuard {
    pub(crate) fn enter() -> Self {
        Self::enter_as(ThreadRole::Recorder)
    }

    /// The same in a thread that is the recorder's own: nothing it allocates is ever refused.
    pub(crate) fn enter_recorder_thread() -> Self {
        Self::enter_as(ThreadRole::RecorderThread)
    }

    fn enter_as(new_role: ThreadRole) -> Self {
        // In this order, and back in the other: a signal handler in between must not adopt a block.
        let role = ROLE.try_with(|role| role.replace(new_role));
        let block = BLOCK.try_with(|own| own.replace(None)).ok().flatten();
        Self { block, role: role.unwrap_or(ThreadRole::Ended) }
    }
}

impl Drop for InternalGuard {
    fn drop(&mut self) {
        let _ = BLOCK.try_with(|own| own.set(self.block));
        let _ = ROLE.try_with(|role| role.set(self.role));
    }
}
