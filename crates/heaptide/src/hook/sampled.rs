//! The hook of a process that samples: blocks are the inner allocator's own, but for the few that
//! are sampled.
//!
//! A block that is passed by costs a subtraction when it is made and a look at its address and
//! size when it goes.
//!
//! The rule on layouts (`docs/SAFETY.md`, "Sampled blocks"): the inner allocator gets a block back
//! with the layout it made it with, [`inner_layout`] of the program's layout and of whether the
//! table has the block. Both are the same at the block's birth and at its end.

use core::alloc::{GlobalAlloc, Layout};

use super::layout::{Fill, Standing, inner_layout, may_be_sampled, take};
use crate::entry::{self, OwnStack, on_scratch_stack};
use crate::event::sampled::{self as event, Drawn};
use crate::globals::STATE;
use crate::shared::state::{Phase, State};
use crate::thread::counters::sampled::Origin;
use crate::thread::sampler;
use crate::unwind::Caller;

/// What the program asked for in a call that is not passed by.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Request {
    Make { layout: Layout, fill: Fill },
    Resize { block: *mut u8, layout: Layout, new_size: usize },
}

/// # Safety
/// As [`GlobalAlloc::alloc`]; a sampled recording runs.
#[inline(always)]
pub(super) unsafe fn alloc<A: GlobalAlloc>(inner: &A, layout: Layout, fill: Fill) -> *mut u8 {
    if sampler::passes(layout.size()) {
        // SAFETY: the caller's promise.
        return unsafe { take(inner, layout, fill) };
    }
    // SAFETY: the caller's promise.
    unsafe { entry::sample(inner, &Request::Make { layout, fill }) }
}

/// Whether a block is surely not a sampled one. False if this process does not sample.
#[inline(always)]
pub(super) fn is_plain(state: State, block: *const u8, layout: Layout) -> bool {
    state.is_sampled() && !may_be_sampled(block.addr(), layout.size())
}

/// The end of a block that is not surely plain.
///
/// # Safety
/// As [`GlobalAlloc::dealloc`]; the process samples.
pub(super) unsafe fn dealloc<A: GlobalAlloc>(inner: &A, block: *mut u8, layout: Layout) {
    let Some(held) = event::hold(block.addr()) else {
        // SAFETY: the caller's promise; a block that is not sampled was made with `layout`.
        return unsafe { inner.dealloc(block, layout) };
    };
    event::died(held.release(), layout.size());
    // SAFETY: `layout` is valid.
    let made_with = unsafe { inner_layout(layout.size(), layout.align(), Standing::Sampled) };
    // SAFETY: the layout that a sampled block was made with.
    unsafe { inner.dealloc(block, made_with) };
}

/// # Safety
/// As [`GlobalAlloc::realloc`]; the process samples.
#[inline(always)]
pub(super) unsafe fn realloc<A: GlobalAlloc>(
    inner: &A,
    state: State,
    block: *mut u8,
    layout: Layout,
    new_size: usize,
) -> *mut u8 {
    let passes = state.is(Phase::SampledArmed) || sampler::passes(new_size);
    if passes && !may_be_sampled(block.addr(), layout.size()) {
        // SAFETY: the caller's promise; a block that is not sampled was made with `layout`.
        return unsafe { inner.realloc(block, layout, new_size) };
    }
    // SAFETY: the caller's promise.
    unsafe { entry::sample(inner, &Request::Resize { block, layout, new_size }) }
}

/// Every call that is not passed by.
///
/// # Safety
/// As [`GlobalAlloc::alloc`] or [`GlobalAlloc::realloc`], whichever is requested; `caller` must be the
/// frame that called the entry point.
#[inline(always)]
pub(super) unsafe fn make_or_resize<A: GlobalAlloc>(
    inner: &A,
    request: &Request,
    caller: Caller,
) -> *mut u8 {
    let state = STATE.load();
    match *request {
        // SAFETY: the caller's promise.
        Request::Make { layout, fill } => unsafe { make(inner, state, layout, fill, caller) },
        // SAFETY: the caller's promise.
        Request::Resize { block, layout, new_size } => unsafe {
            resize(inner, state, (block, layout), new_size, caller)
        },
    }
}

/// # Safety
/// As [`GlobalAlloc::alloc`]; `caller` must be the frame that called the entry point.
unsafe fn make<A: GlobalAlloc>(
    inner: &A,
    state: State,
    layout: Layout,
    fill: Fill,
    caller: Caller,
) -> *mut u8 {
    // SAFETY: only the walk and the memo ask, starting at `caller`.
    let stack = unsafe { OwnStack::assume_walked() };
    let drawn = draw(state, layout.size(), stack, caller);
    // SAFETY: `layout` is valid.
    let made_with = unsafe { inner_layout(layout.size(), layout.align(), standing(&drawn)) };
    // SAFETY: the size is the caller's, who promises that it is not zero.
    let block = unsafe { take(inner, made_with, fill) };
    settle(drawn, block, layout.size(), Origin::Made);
    block
}

/// Ends one version of a block and begins another.
///
/// # Safety
/// As [`GlobalAlloc::realloc`]; `caller` must be the frame that called the entry point.
unsafe fn resize<A: GlobalAlloc>(
    inner: &A,
    state: State,
    (block, layout): (*mut u8, Layout),
    new_size: usize,
    caller: Caller,
) -> *mut u8 {
    let (old_size, align) = (layout.size(), layout.align());
    // SAFETY: only the walk and the memo ask, starting at `caller`.
    let stack = unsafe { OwnStack::assume_walked() };
    let drawn = draw(state, new_size, stack, caller);
    // Out of the table before the old address can become somebody else's.
    let held = event::hold(block.addr());
    let was = if held.is_some() { Standing::Sampled } else { Standing::Plain };
    // SAFETY: `layout` is valid.
    let old = unsafe { inner_layout(old_size, align, was) };
    // SAFETY: the caller promises that the new size is valid with this alignment.
    let new = unsafe { inner_layout(new_size, align, standing(&drawn)) };
    let moved = if old.align() == new.align() {
        // SAFETY: the layout it was made with; the new size is the caller's.
        unsafe { inner.realloc(block, old, new_size) }
    } else {
        // SAFETY: both are the layouts of this block, before and after.
        unsafe { replace(inner, block, old, new) }
    };
    settle(drawn, moved, new_size, Origin::Resized);
    match held {
        Some(held) if moved.is_null() => held.put_back(),
        Some(held) => event::died(held.release(), old_size),
        None => {}
    }
    moved
}

/// Decides on a block that was not passed by, on a stack of our own if it is one to be sampled.
fn draw(state: State, size: usize, stack: OwnStack, caller: Caller) -> Option<Drawn> {
    let weight = event::weigh(state, size)?;
    on_scratch_stack(|| event::draw(weight, stack, caller)).unwrap_or_else(event::without_memory)
}

/// A `realloc` between two alignments, by hand.
///
/// # Safety
/// `block` must have been made with `old`, whose size and that of `new` are not zero.
unsafe fn replace<A: GlobalAlloc>(inner: &A, block: *mut u8, old: Layout, new: Layout) -> *mut u8 {
    // SAFETY: the caller's promise on `new`.
    let moved = unsafe { inner.alloc(new) };
    if moved.is_null() {
        return moved;
    }
    let kept = old.size().min(new.size());
    // SAFETY: two blocks that are there at the same time, each of at least `kept` bytes.
    unsafe { core::ptr::copy_nonoverlapping(block, moved, kept) };
    // SAFETY: the caller's promise on `block`.
    unsafe { inner.dealloc(block, old) };
    moved
}

/// Makes of a block what was drawn for it, now that it is there or is not.
fn settle(drawn: Option<Drawn>, block: *mut u8, size: usize, origin: Origin) {
    if let Some(drawn) = drawn
        && !block.is_null()
    {
        event::born(drawn, block.addr(), size, origin);
    }
}

fn standing(drawn: &Option<Drawn>) -> Standing {
    if drawn.is_some() { Standing::Sampled } else { Standing::Plain }
}
