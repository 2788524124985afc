//! Every call of the program, by what the shim is doing: one look at the state word, and on.

use core::alloc::{GlobalAlloc, Layout};

use super::exact::ExactHook;
use super::layout::{Fill, alloc_inner, padded_as_made};
use super::{exact, sampled};
use crate::entry;
use crate::globals::STATE;
use crate::heap::Heaptide;
use crate::shared::state::{Phase, State};

// SAFETY: every block comes from `inner` with a layout of at least the size asked for and the
// alignment asked for, goes back with the layout it came with, and null is passed on. Nothing here
// unwinds: no panics (tested under `panic = "abort"` entry points, `extern "C"`), no allocation.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Heaptide<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let state = STATE.load();
        if state.is(Phase::Recording) {
            // SAFETY: the caller's promise on `layout`.
            return unsafe {
                entry::alloc::<ExactHook<A>>(layout.size(), layout.align(), &self.inner)
            };
        }
        if state.is(Phase::Off) {
            // SAFETY: the caller's promise on `layout`.
            return unsafe { self.inner.alloc(layout) };
        }
        // SAFETY: the caller's promise on `layout`.
        unsafe { alloc_other_phase(layout.size(), layout.align(), self, state, Fill::Any) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let state = STATE.load();
        if state.is(Phase::Recording) {
            // SAFETY: the caller's promise on `layout`.
            return unsafe {
                entry::alloc_zeroed::<ExactHook<A>>(layout.size(), layout.align(), &self.inner)
            };
        }
        if state.is(Phase::Off) {
            // SAFETY: the caller's promise on `layout`.
            return unsafe { self.inner.alloc_zeroed(layout) };
        }
        // SAFETY: the caller's promise on `layout`.
        unsafe { alloc_other_phase(layout.size(), layout.align(), self, state, Fill::Zero) }
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
            // SAFETY: the caller's promise; a block without a trailer was made with `layout`.
            return unsafe { self.inner.dealloc(block, layout) };
        }
        // SAFETY: the caller's promise.
        unsafe {
            dealloc_other_phase(block, layout.size(), layout.align(), &self.inner, state);
        };
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let state = STATE.load();
        if state.is(Phase::Off) {
            // SAFETY: the caller's promise on all three.
            return unsafe { self.inner.realloc(block, layout, new_size) };
        }
        if state.is_sampled() {
            // SAFETY: the caller's promise on all three; the process samples.
            return unsafe { sampled::realloc(&self.inner, state, block, layout, new_size) };
        }
        // SAFETY: the caller's promise on all three; blocks carry trailers.
        unsafe { exact::realloc(&self.inner, state, block, layout, new_size) }
    }
}

/// The slow path of an allocation: armed, sampling, or not decided yet. What the program passed comes first,
/// in the registers in which it did, so that the quick way need not move it.
///
/// # Safety
/// As [`GlobalAlloc::alloc`] for `size` and `align`.
#[inline(never)]
unsafe fn alloc_other_phase<A: GlobalAlloc>(
    size: usize,
    align: usize,
    heap: &Heaptide<A>,
    state: State,
    fill: Fill,
) -> *mut u8 {
    // SAFETY: the caller's promise.
    let layout = unsafe { Layout::from_size_align_unchecked(size, align) };
    let state = if state.is_decided() { state } else { heap.decide() };
    if state.is(Phase::Sampling) {
        // SAFETY: the caller's promise on `layout`.
        unsafe { sampled::alloc(&heap.inner, layout, fill) }
    } else if state.is(Phase::Armed) || state.is(Phase::Recording) {
        // SAFETY: the caller's promise on `layout`.
        unsafe { exact::alloc_uncounted(&heap.inner, layout.size(), layout.align(), fill) }
    } else {
        // SAFETY: the caller's promise on `layout`.
        unsafe { alloc_inner(&heap.inner, layout, fill) }
    }
}

/// The slow path of a free: armed, or of a block that may be a sampled one. The order is that of
/// [`alloc_other_phase`].
///
/// # Safety
/// As [`GlobalAlloc::dealloc`] for `size` and `align`.
#[inline(never)]
unsafe fn dealloc_other_phase<A: GlobalAlloc>(
    block: *mut u8,
    size: usize,
    align: usize,
    inner: &A,
    state: State,
) {
    // SAFETY: the caller's promise.
    let layout = unsafe { Layout::from_size_align_unchecked(size, align) };
    if state.is_sampled() {
        // SAFETY: the caller's promise; some blocks are sampled.
        return unsafe { sampled::dealloc(inner, block, layout) };
    }
    // SAFETY: the caller's promise, and blocks carry trailers.
    let padded = unsafe { padded_as_made(layout) };
    // SAFETY: the layout it was made with.
    unsafe { inner.dealloc(block, padded) };
}
