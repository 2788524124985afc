//! The hook: `GlobalAlloc` over the inner allocator. It calls the inner allocator once, for the
//! caller, and tells [`crate::event`]; nothing else.
//!
//! Order is everything here (`docs/SAFETY.md`, rule 4): a block is counted after it exists, and
//! its record is taken out before it goes. No lock is held and no stack is unwound while the inner
//! allocator works: where a block will count is found out before it is made.

mod sampled;

use core::alloc::{GlobalAlloc, Layout};

use crate::entry;
use crate::event::exact;
use crate::event::lookup::{self, Expected, Search, Sought};
use crate::globals::STATE;
use crate::heap::Heaptide;
use crate::shared::state::{Phase, State};
use crate::shared::trailer::{Birth, RECORD_BYTES, Record};
use crate::thread::block::Hold;
use crate::thread::stack_cache::Fork;
use crate::unwind::{Caller, StackMemory};

pub(crate) use sampled::{Request, sample};

/// The stack of the calling thread, from the hook's caller on.
#[derive(Clone, Copy, Debug)]
struct OwnStack(());

impl OwnStack {
    /// # Safety
    /// Words may only be asked for inside frames that the unwind tables, applied step by step
    /// from the hook's caller, say are there; the walk and the memo do that.
    unsafe fn assume_walked() -> Self {
        Self(())
    }
}

impl StackMemory for OwnStack {
    #[inline(always)]
    fn word(self, at: u64) -> u64 {
        // SAFETY: `at` lies in a frame of this thread's own stack (`assume_walked`), which is
        // mapped and does not change while the thread is in the hook.
        unsafe { (at as *const u64).read_unaligned() }
    }
}

// SAFETY: every block comes from `inner` with a layout of at least the size asked for and the
// alignment asked for, goes back with the layout it came with, and null is passed on. Nothing here
// unwinds: no panics (tested under `panic = "abort"` entry points, `extern "C"`), no allocation.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Heaptide<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let state = STATE.load();
        if state.is(Phase::Recording) {
            // SAFETY: the caller's promise on `layout`.
            return unsafe { entry::alloc(&self.inner, layout.size(), layout.align()) };
        }
        if state.is(Phase::Off) {
            // SAFETY: as above.
            return unsafe { self.inner.alloc(layout) };
        }
        // SAFETY: as above.
        unsafe { make_otherwise(self, state, layout, Fill::Any) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let state = STATE.load();
        if state.is(Phase::Recording) {
            // SAFETY: the caller's promise on `layout`.
            return unsafe { entry::alloc_zeroed(&self.inner, layout.size(), layout.align()) };
        }
        if state.is(Phase::Off) {
            // SAFETY: as above.
            return unsafe { self.inner.alloc_zeroed(layout) };
        }
        // SAFETY: as above.
        unsafe { make_otherwise(self, state, layout, Fill::Zero) }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let state = STATE.load();
        if state.is(Phase::Recording) {
            // SAFETY: the caller's promise: `block` came from us with `layout`. Blocks carry
            // records.
            return unsafe { dealloc(&self.inner, state, block, layout) };
        }
        if state.is(Phase::Off) || sampled::is_plain(state, block, layout) {
            // SAFETY: as above, and this one was made with `layout`.
            return unsafe { self.inner.dealloc(block, layout) };
        }
        // SAFETY: the caller's promise.
        unsafe { dealloc_otherwise(&self.inner, state, block, layout) };
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let state = STATE.load();
        if state.is(Phase::Off) {
            // SAFETY: the caller's promise on all three.
            return unsafe { self.inner.realloc(block, layout, new_size) };
        }
        if state.is_sampled() {
            // SAFETY: as above, and some blocks are sampled.
            return unsafe { sampled::realloc(&self.inner, state, block, layout, new_size) };
        }
        // SAFETY: as above, and blocks carry records.
        unsafe { realloc(&self.inner, block, layout, new_size) }
    }
}

/// A block in any phase but those that the program's own call is made ready for.
///
/// # Safety
/// As [`GlobalAlloc::alloc`].
#[inline(never)]
unsafe fn make_otherwise<A: GlobalAlloc>(
    heap: &Heaptide<A>,
    state: State,
    layout: Layout,
    fill: Fill,
) -> *mut u8 {
    let state = if state.is_decided() { state } else { heap.decide() };
    if state.is(Phase::Sampling) {
        // SAFETY: the caller's promise on `layout`.
        unsafe { sampled::alloc(&heap.inner, layout, fill) }
    } else if state.is(Phase::Armed) || state.is(Phase::Recording) {
        // SAFETY: as above.
        unsafe { make_uncounted(&heap.inner, layout.size(), layout.align(), fill) }
    } else {
        // SAFETY: as above.
        unsafe { sampled::take(&heap.inner, layout, fill) }
    }
}

/// The end of a block in any phase but those that the program's own call is made ready for.
///
/// # Safety
/// As [`GlobalAlloc::dealloc`].
#[inline(never)]
unsafe fn dealloc_otherwise<A: GlobalAlloc>(
    inner: &A,
    state: State,
    block: *mut u8,
    layout: Layout,
) {
    if state.is_sampled() {
        // SAFETY: the caller's promise; some blocks are sampled.
        return unsafe { sampled::dealloc(inner, block, layout) };
    }
    // SAFETY: the caller's promise, and blocks carry records.
    let padded = unsafe { padded(layout.size(), layout.align()) };
    // SAFETY: the layout it was made with.
    unsafe { inner.dealloc(block, padded) };
}

/// Which of the inner allocator's calls makes the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fill {
    Any,
    Zero,
}

/// The body of `alloc`, entered from [`entry::alloc`] with the caller's registers.
///
/// # Safety
/// As [`GlobalAlloc::alloc`] for `size` and `align`; the registers must be those of the frame that
/// called the entry point.
pub(crate) unsafe extern "C" fn alloc<A: GlobalAlloc>(
    inner: &A,
    size: usize,
    align: usize,
    sp: u64,
    fp: u64,
    ra: u64,
) -> *mut u8 {
    // SAFETY: the caller's promise.
    unsafe { make::<A>(inner, size, align, Caller { ra, sp, fp }, Fill::Any) }
}

/// The body of `alloc_zeroed`, likewise.
///
/// # Safety
/// As [`alloc`].
pub(crate) unsafe extern "C" fn alloc_zeroed<A: GlobalAlloc>(
    inner: &A,
    size: usize,
    align: usize,
    sp: u64,
    fp: u64,
    ra: u64,
) -> *mut u8 {
    // SAFETY: the caller's promise.
    unsafe { make::<A>(inner, size, align, Caller { ra, sp, fp }, Fill::Zero) }
}

/// A block that is recorded, if there is memory to do so.
///
/// # Safety
/// As [`alloc`].
#[inline(always)]
unsafe fn make<A: GlobalAlloc>(
    inner: &A,
    size: usize,
    align: usize,
    caller: Caller,
    fill: Fill,
) -> *mut u8 {
    let state = STATE.load();
    // SAFETY: from here on only the walk and the memo ask, starting at `caller`.
    let stack = unsafe { OwnStack::assume_walked() };
    let Caller { ra, sp, fp } = caller;
    match lookup::expect(stack, caller, state, size) {
        // SAFETY: the caller's promise; a block at least as large is known to have existed.
        Sought::Found(expected) => unsafe { make_expected(inner, size, align, expected, fill) },
        // SAFETY: the caller's promise.
        Sought::Forked(hold, fork) => unsafe {
            make_forked(inner, size, align, fill, ra, sp, fp, hold, fork)
        },
        // SAFETY: the caller's promise.
        Sought::Unknown => unsafe {
            make_slowly(inner, size, align, fill, ra, sp, fp, Search::Due)
        },
    }
}

/// A block for which everything is known.
///
/// # Safety
/// As [`alloc`]; [`can_exist`] must hold.
#[inline(always)]
unsafe fn make_expected<A: GlobalAlloc>(
    inner: &A,
    size: usize,
    align: usize,
    expected: Expected<Hold>,
    fill: Fill,
) -> *mut u8 {
    // SAFETY: the caller's promise.
    let block = unsafe { take(inner, size, align, fill) };
    if block.is_null() {
        return block;
    }
    let record = exact::born(expected, block.addr(), size);
    // SAFETY: the block has `size` bytes and room for a record behind them.
    unsafe { write_record(block, size, record) };
    block
}

/// A block whose stack begins like one that is remembered. Out of line, so that the quick way need
/// not keep for later what it has in registers.
///
/// # Safety
/// As [`alloc`].
#[inline(never)]
#[expect(clippy::too_many_arguments, reason = "a struct would be spilled on the quick way")]
unsafe fn make_forked<A: GlobalAlloc>(
    inner: &A,
    size: usize,
    align: usize,
    fill: Fill,
    ra: u64,
    sp: u64,
    fp: u64,
    hold: Hold,
    fork: Fork,
) -> *mut u8 {
    // SAFETY: from here on only the memo asks, which has followed this stack.
    let stack = unsafe { OwnStack::assume_walked() };
    match lookup::expect_rest(hold, stack, Caller { ra, sp, fp }, fork, STATE.load(), size) {
        // SAFETY: the caller's promise; a block at least as large is known to have existed.
        Ok(expected) => unsafe { make_expected(inner, size, align, expected, fill) },
        // SAFETY: the caller's promise.
        Err(search) => unsafe { make_slowly(inner, size, align, fill, ra, sp, fp, search) },
    }
}

/// Out of line, with the caller in registers: the quick way must not spill it for this one.
///
/// # Safety
/// As [`alloc`].
#[cold]
#[inline(never)]
#[expect(clippy::too_many_arguments, reason = "a struct would be spilled on the quick way")]
unsafe fn make_slowly<A: GlobalAlloc>(
    inner: &A,
    size: usize,
    align: usize,
    fill: Fill,
    ra: u64,
    sp: u64,
    fp: u64,
    search: Search,
) -> *mut u8 {
    if !can_exist(size) {
        return core::ptr::null_mut();
    }
    // SAFETY: from here on only the walk and the memo ask, starting at the caller.
    let stack = unsafe { OwnStack::assume_walked() };
    let expected = lookup::expect_slowly(stack, Caller { ra, sp, fp }, search);
    // SAFETY: the caller's promise, and `can_exist`.
    let block = unsafe { take(inner, size, align, fill) };
    if block.is_null() {
        return block;
    }
    let record = match &expected {
        Some(expected) => exact::born_slowly(expected, block.addr(), size),
        None => Record::new(block.addr(), Birth::UNCOUNTED),
    };
    // SAFETY: the block has `size` bytes and room for a record behind them.
    unsafe { write_record(block, size, record) };
    block
}

/// A block that carries a record which says that it is not counted.
///
/// # Safety
/// As [`GlobalAlloc::alloc`] for `size` and `align`.
unsafe fn make_uncounted<A: GlobalAlloc>(
    inner: &A,
    size: usize,
    align: usize,
    fill: Fill,
) -> *mut u8 {
    if !can_exist(size) {
        return core::ptr::null_mut();
    }
    // SAFETY: the caller's promise, and `can_exist`.
    let block = unsafe { take(inner, size, align, fill) };
    if !block.is_null() {
        // SAFETY: the block has `size` bytes and room for a record behind them.
        unsafe { write_record(block, size, Record::new(block.addr(), Birth::UNCOUNTED)) };
    }
    block
}

/// A block from the inner allocator, with room for a record.
///
/// # Safety
/// As [`GlobalAlloc::alloc`]; [`can_exist`] must hold.
#[inline(always)]
unsafe fn take<A: GlobalAlloc>(inner: &A, size: usize, align: usize, fill: Fill) -> *mut u8 {
    // SAFETY: the caller's promise.
    let padded = unsafe { padded(size, align) };
    match fill {
        // SAFETY: `padded` is not of size zero.
        Fill::Any => unsafe { inner.alloc(padded) },
        // SAFETY: as above.
        Fill::Zero => unsafe { inner.alloc_zeroed(padded) },
    }
}

/// # Safety
/// As [`GlobalAlloc::dealloc`]; the block must have been made by this module.
#[inline]
unsafe fn dealloc<A: GlobalAlloc>(inner: &A, state: State, block: *mut u8, layout: Layout) {
    // SAFETY: the block carries a record behind its `layout.size()` bytes.
    let record = unsafe { read_record(block, layout.size()) };
    exact::death(state, record, block.addr(), layout.size());
    // SAFETY: it was made with this size and alignment, so this layout is valid.
    let padded = unsafe { padded(layout.size(), layout.align()) };
    // SAFETY: the layout it was made with.
    unsafe { inner.dealloc(block, padded) };
}

/// # Safety
/// As [`GlobalAlloc::realloc`]; the block must have been made by this module.
unsafe fn realloc<A: GlobalAlloc>(
    inner: &A,
    block: *mut u8,
    layout: Layout,
    new_size: usize,
) -> *mut u8 {
    let (old_size, align) = (layout.size(), layout.align());
    if !can_exist(new_size) {
        return core::ptr::null_mut();
    }
    // SAFETY: the block carries a record behind its `old_size` bytes.
    let record = unsafe { read_record(block, old_size) };
    let old_addr = block.addr();
    // SAFETY: it was made with this size and alignment.
    let old_padded = unsafe { padded(old_size, align) };
    // SAFETY: the layout it was made with, and a size that can exist. The record's place moves
    // with the end; if this fails, block and record stay as they are.
    let moved = unsafe { inner.realloc(block, old_padded, new_size + RECORD_BYTES) };
    if moved.is_null() {
        return moved;
    }
    let record = exact::resize(record, (old_addr, old_size), (moved.addr(), new_size));
    // SAFETY: the block has `new_size` bytes and room for a record behind them.
    unsafe { write_record(moved, new_size, record) };
    moved
}

/// Larger blocks exist on no machine with 64-bit addresses.
const MAX_BYTES: usize = 1 << 61;

#[inline(always)]
fn can_exist(size: usize) -> bool {
    size <= MAX_BYTES
}

/// The layout of a block with its record.
///
/// # Safety
/// `size` and `align` must be those of a valid layout of a block that is not empty, and
/// [`can_exist`] must hold.
#[inline(always)]
unsafe fn padded(size: usize, align: usize) -> Layout {
    // SAFETY: `align` is a power of two of at most 2^62, since a block that is not empty fits into
    // `isize::MAX` when rounded up to it. So rounded up, 2^61 and the record stay at most 2^62.
    unsafe { Layout::from_size_align_unchecked(size + RECORD_BYTES, align) }
}

/// # Safety
/// `block` must have `size` bytes and a record behind them.
#[inline]
unsafe fn read_record(block: *const u8, size: usize) -> Record {
    // SAFETY: the caller's promise.
    let at = unsafe { block.add(size) };
    // SAFETY: as above; the record need not be aligned.
    Record::from_memory(unsafe { at.cast::<u64>().read_unaligned() })
}

/// # Safety
/// `block` must have `size` bytes and room for a record behind them.
#[inline]
unsafe fn write_record(block: *mut u8, size: usize, record: Record) {
    // SAFETY: the caller's promise.
    let at = unsafe { block.add(size) };
    // SAFETY: as above; the record need not be aligned.
    unsafe { at.cast::<u64>().write_unaligned(record.to_memory()) };
}
