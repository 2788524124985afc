//! The hook of a process that records every block: each carries a trailer of eight bytes.

use core::alloc::{GlobalAlloc, Layout};

use super::layout::{Fill, can_exist, padded, read_record, take_padded, write_record};
use crate::entry::{OwnStack, on_scratch_stack};
use crate::event::exact;
use crate::event::lookup::{self, Expected, Search, Sought};
use crate::globals::STATE;
use crate::shared::state::State;
use crate::shared::trailer::{Birth, RECORD_BYTES, Record};
use crate::thread::block::Hold;
use crate::thread::stack_cache::Fork;
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
/// As [`make`]; [`can_exist`] must hold.
// Not always, as `lookup::expect`.
#[cfg_attr(not(debug_assertions), inline(always))]
#[cfg_attr(debug_assertions, inline)]
unsafe fn make_expected<A: GlobalAlloc>(
    inner: &A,
    size: usize,
    align: usize,
    expected: Expected<Hold>,
    fill: Fill,
) -> *mut u8 {
    // SAFETY: the caller's promise.
    let block = unsafe { take_padded(inner, size, align, fill) };
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
    // SAFETY: from here on only the walk and the memo ask, starting at the caller.
    let stack = unsafe { OwnStack::assume_walked() };
    let caller = Caller { ra, sp, fp };
    let expected = on_scratch_stack(|| lookup::expect_slowly(stack, caller, search));
    let expected = expected.unwrap_or_else(lookup::without_memory);
    // SAFETY: the caller's promise, and `can_exist`.
    let block = unsafe { take_padded(inner, size, align, fill) };
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
        // SAFETY: the block has `size` bytes and room for a record behind them.
        unsafe { write_record(block, size, Record::new(block.addr(), Birth::UNCOUNTED)) };
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
