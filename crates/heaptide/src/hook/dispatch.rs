//! Every call of the program, by what the shim is doing: one look at the state word, and on.

use core::alloc::{GlobalAlloc, Layout};

use super::layout::{Fill, padded, take};
use super::sampled::Request;
use super::{exact, sampled};
use crate::entry::{self, EntryTarget};
use crate::globals::STATE;
use crate::heap::Heaptide;
use crate::shared::state::{Phase, State};
use crate::unwind::Caller;

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
            // trailers.
            return unsafe { exact::dealloc(&self.inner, state, block, layout) };
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
        // SAFETY: as above, and blocks carry trailers.
        unsafe { exact::realloc(&self.inner, block, layout, new_size) }
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
        unsafe { exact::make_uncounted(&heap.inner, layout.size(), layout.align(), fill) }
    } else {
        // SAFETY: as above.
        unsafe { take(&heap.inner, layout, fill) }
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
    // SAFETY: the caller's promise, and blocks carry trailers.
    let padded = unsafe { padded(layout.size(), layout.align()) };
    // SAFETY: the layout it was made with.
    unsafe { inner.dealloc(block, padded) };
}

impl<A: GlobalAlloc> EntryTarget for A {
    type Request = Request;

    unsafe extern "C" fn alloc(
        inner: &A,
        size: usize,
        align: usize,
        sp: u64,
        fp: u64,
        ra: u64,
    ) -> *mut u8 {
        // SAFETY: the contract of the entry points is that of `make`.
        unsafe { exact::make(inner, size, align, Caller { ra, sp, fp }, Fill::Any) }
    }

    unsafe extern "C" fn alloc_zeroed(
        inner: &A,
        size: usize,
        align: usize,
        sp: u64,
        fp: u64,
        ra: u64,
    ) -> *mut u8 {
        // SAFETY: as for `alloc`.
        unsafe { exact::make(inner, size, align, Caller { ra, sp, fp }, Fill::Zero) }
    }

    unsafe extern "C" fn sample(
        inner: &A,
        request: &Request,
        sp: u64,
        fp: u64,
        ra: u64,
    ) -> *mut u8 {
        // SAFETY: the contract of the entry points is that of `make_or_resize`.
        unsafe { sampled::make_or_resize(inner, request, Caller { ra, sp, fp }) }
    }
}
