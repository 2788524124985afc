//! The hook of a process that records every block: each carries a trailer of eight bytes.

use core::alloc::{GlobalAlloc, Layout};

use super::layout::{Fill, can_exist, padded, read_trailer, take_padded, write_trailer};
use crate::entry::OwnStack;
use crate::event::exact;
use crate::event::lookup::{self, Expected, Search, Sought};
use crate::globals::STATE;
use crate::shared::state::State;
use crate::shared::trailer::{Birth, TRAILER_BYTES, Trailer};
use crate::thread::block::BlockGuard;
use crate::thread::stack_cache::Divergence;
use crate::unwind::Caller;

/// A block that is recorded, if there is memory to do so.
///
/// # Safety
/// As [`GlobalAlloc::alloc`] for `size` and `align`; `caller` must be the frame that called the entry
/// point.
#[inline(always)]
pub(super) unsafe fn make<A: GlobalAlloc>(
    inner: &A,
    size: usize,
    align: usize,
    caller: Caller,
    fill: Fill,
) -> *mut u8 {
    let state = STATE.load();
    // SAFETY: from here on only the walk and the stack cache ask, starting at `caller`.
    let stack = unsafe { OwnStack::assume_walked() };
    let Caller { ra, sp, fp } = caller;
    match lookup::expect(stack, caller, state, size) {
        // SAFETY: the caller's promise; a block at least as large is known to have existed.
        Sought::Found(expected) => unsafe { make_expected(inner, size, align, expected, fill) },
        // SAFETY: the caller's promise.
        Sought::Forked(guard, divergence) => unsafe {
            make_forked(inner, size, align, fill, ra, sp, fp, guard, divergence)
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
/// As [`make`]; [`can_exist`] must hold.
#[inline(always)]
unsafe fn make_expected<A: GlobalAlloc>(
    inner: &A,
    size: usize,
    align: usize,
    expected: Expected<BlockGuard>,
    fill: Fill,
) -> *mut u8 {
    // SAFETY: the caller's promise.
    let block = unsafe { take_padded(inner, size, align, fill) };
    if block.is_null() {
        return block;
    }
    let trailer = exact::born(expected, block.addr(), size);
    // SAFETY: the block has `size` bytes and room for a trailer behind them.
    unsafe { write_trailer(block, size, trailer) };
    block
}

/// A block whose stack begins like one that is remembered. Out of line, so that the quick way need
/// not keep for later what it has in registers.
///
/// # Safety
/// As [`make`].
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
    guard: BlockGuard,
    divergence: Divergence,
) -> *mut u8 {
    // SAFETY: from here on only the stack cache asks, which has followed this stack.
    let stack = unsafe { OwnStack::assume_walked() };
    match lookup::expect_rest(guard, stack, Caller { ra, sp, fp }, divergence, STATE.load(), size) {
        // SAFETY: the caller's promise; a block at least as large is known to have existed.
        Ok(expected) => unsafe { make_expected(inner, size, align, expected, fill) },
        // SAFETY: the caller's promise.
        Err(search) => unsafe { make_slowly(inner, size, align, fill, ra, sp, fp, search) },
    }
}

/// Out of line, with the caller in registers: the quick way must not spill it for this one.
///
/// # Safety
/// As [`make`].
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
    // SAFETY: from here on only the walk and the stack cache ask, starting at the caller.
    let stack = unsafe { OwnStack::assume_walked() };
    let expected = lookup::expect_slowly(stack, Caller { ra, sp, fp }, search);
    // SAFETY: the caller's promise, and `can_exist`.
    let block = unsafe { take_padded(inner, size, align, fill) };
    if block.is_null() {
        return block;
    }
    let trailer = match &expected {
        Some(expected) => exact::born_slowly(expected, block.addr(), size),
        None => Trailer::new(block.addr(), Birth::UNCOUNTED),
    };
    // SAFETY: the block has `size` bytes and room for a trailer behind them.
    unsafe { write_trailer(block, size, trailer) };
    block
}

/// A block that carries a trailer which says that it is not counted.
///
/// # Safety
/// As [`GlobalAlloc::alloc`] for `size` and `align`.
pub(super) unsafe fn make_uncounted<A: GlobalAlloc>(
    inner: &A,
    size: usize,
    align: usize,
    fill: Fill,
) -> *mut u8 {
    if !can_exist(size) {
        return core::ptr::null_mut();
    }
    // SAFETY: the caller's promise, and `can_exist`.
    let block = unsafe { take_padded(inner, size, align, fill) };
    if !block.is_null() {
        // SAFETY: the block has `size` bytes and room for a trailer behind them.
        unsafe { write_trailer(block, size, Trailer::new(block.addr(), Birth::UNCOUNTED)) };
    }
    block
}

/// # Safety
/// As [`GlobalAlloc::dealloc`]; the block must have been made by this module.
#[inline]
pub(super) unsafe fn dealloc<A: GlobalAlloc>(
    inner: &A,
    state: State,
    block: *mut u8,
    layout: Layout,
) {
    // SAFETY: the block carries a trailer behind its `layout.size()` bytes.
    let trailer = unsafe { read_trailer(block, layout.size()) };
    exact::death(state, trailer, block.addr(), layout.size());
    // SAFETY: it was made with this size and alignment, so this layout is valid.
    let padded = unsafe { padded(layout.size(), layout.align()) };
    // SAFETY: the layout it was made with.
    unsafe { inner.dealloc(block, padded) };
}

/// # Safety
/// As [`GlobalAlloc::realloc`]; the block must have been made by this module.
pub(super) unsafe fn realloc<A: GlobalAlloc>(
    inner: &A,
    block: *mut u8,
    layout: Layout,
    new_size: usize,
) -> *mut u8 {
    let (old_size, align) = (layout.size(), layout.align());
    if !can_exist(new_size) {
        return core::ptr::null_mut();
    }
    // SAFETY: the block carries a trailer behind its `old_size` bytes.
    let trailer = unsafe { read_trailer(block, old_size) };
    let old_addr = block.addr();
    // SAFETY: it was made with this size and alignment.
    let old_padded = unsafe { padded(old_size, align) };
    // SAFETY: the layout it was made with, and a size that can exist. The trailer's place moves
    // with the end; if this fails, block and trailer stay as they are.
    let moved = unsafe { inner.realloc(block, old_padded, new_size + TRAILER_BYTES) };
    if moved.is_null() {
        return moved;
    }
    let trailer = exact::resize(trailer, (old_addr, old_size), (moved.addr(), new_size));
    // SAFETY: the block has `new_size` bytes and room for a trailer behind them.
    unsafe { write_trailer(moved, new_size, trailer) };
    moved
}
