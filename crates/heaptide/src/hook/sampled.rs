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
use core::marker::PhantomData;

use super::layout::{BlockKind, Fill, alloc_inner, inner_layout, may_be_sampled};
use super::waiting;
use crate::entry::{self, RequestTarget, ThreadStack, on_scratch_stack, with_room_in_debug_builds};
use crate::event::sampled::{self as event, PendingSample};
use crate::globals::STATE;
use crate::shared::samples::Sample;
use crate::shared::state::{Phase, State};
use crate::thread::counters::sampled::AllocKind;
use crate::thread::sampler;
use crate::unwind::Caller;

/// What the program asked for in a call that is not passed by.
#[derive(Clone, Copy, Debug)]
enum Request {
    Alloc { layout: Layout, fill: Fill },
    Realloc { block: *mut u8, layout: Layout, new_size: usize },
}

/// # Safety
/// As [`GlobalAlloc::alloc`]; a sampled recording runs.
#[inline(always)]
pub(super) unsafe fn alloc<A: GlobalAlloc>(inner: &A, layout: Layout, fill: Fill) -> *mut u8 {
    if sampler::skip_fast(layout.size()) {
        // SAFETY: the caller's promise.
        return unsafe { alloc_inner(inner, layout, fill) };
    }
    // SAFETY: the caller's promise.
    unsafe { entry::request::<SampledHook<A>>(inner, &Request::Alloc { layout, fill }) }
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
    let Some(taken) = event::take_out(block.addr()) else {
        // SAFETY: the caller's promise; a block that is not sampled was made with `layout`.
        return unsafe { inner.dealloc(block, layout) };
    };
    count_free(taken.release(), layout.size());
    // SAFETY: `layout` is valid.
    let made_with = unsafe { inner_layout(layout.size(), layout.align(), BlockKind::Sampled) };
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
    let passes = state.is(Phase::SampledArmed) || sampler::skip_fast(new_size);
    if passes && !may_be_sampled(block.addr(), layout.size()) {
        // SAFETY: the caller's promise; a block that is not sampled was made with `layout`.
        return unsafe { inner.realloc(block, layout, new_size) };
    }
    // SAFETY: the caller's promise.
    unsafe {
        entry::request::<SampledHook<A>>(inner, &Request::Realloc { block, layout, new_size })
    }
}

/// What stands behind the entry point of calls that are not passed by.
#[derive(Debug)]
struct SampledHook<A>(PhantomData<A>);

impl<A: GlobalAlloc> RequestTarget for SampledHook<A> {
    type Allocator = A;
    type Request = Request;

    unsafe extern "C" fn request(
        inner: &A,
        request: &Request,
        sp: u64,
        fp: u64,
        ra: u64,
    ) -> *mut u8 {
        let (state, caller) = (STATE.load(), Caller { ra, sp, fp });
        match *request {
            // SAFETY: the contract of the entry point is that of `alloc_drawn`.
            Request::Alloc { layout, fill } => unsafe {
                alloc_drawn(inner, state, layout, fill, caller)
            },
            // SAFETY: the contract of the entry point is that of `realloc_drawn`.
            Request::Realloc { block, layout, new_size } => unsafe {
                realloc_drawn(inner, state, (block, layout), new_size, caller)
            },
        }
    }
}

/// # Safety
/// As [`GlobalAlloc::alloc`]; `caller` must be the frame that called the entry point.
unsafe fn alloc_drawn<A: GlobalAlloc>(
    inner: &A,
    state: State,
    layout: Layout,
    fill: Fill,
    caller: Caller,
) -> *mut u8 {
    // SAFETY: only the walk and the stack cache ask, starting at `caller`.
    let stack = unsafe { ThreadStack::assume_walked() };
    let pending = draw(state, layout.size(), stack, caller);
    // SAFETY: `layout` is valid.
    let made_with = unsafe { inner_layout(layout.size(), layout.align(), kind_of(&pending)) };
    // SAFETY: the size is the caller's, who promises that it is not zero.
    let block = waiting::ask(|| unsafe { alloc_inner(inner, made_with, fill) });
    settle(pending, block, layout.size(), AllocKind::New);
    block
}

/// Ends one version of a block and begins another.
///
/// # Safety
/// As [`GlobalAlloc::realloc`]; `caller` must be the frame that called the entry point.
unsafe fn realloc_drawn<A: GlobalAlloc>(
    inner: &A,
    state: State,
    (block, layout): (*mut u8, Layout),
    new_size: usize,
    caller: Caller,
) -> *mut u8 {
    let (old_size, align) = (layout.size(), layout.align());
    // SAFETY: only the walk and the stack cache ask, starting at `caller`.
    let stack = unsafe { ThreadStack::assume_walked() };
    let pending = draw(state, new_size, stack, caller);
    // Out of the table before the old address can become somebody else's.
    let taken = event::take_out(block.addr());
    let was = if taken.is_some() { BlockKind::Sampled } else { BlockKind::Plain };
    // SAFETY: `layout` is valid.
    let old = unsafe { inner_layout(old_size, align, was) };
    // SAFETY: the caller promises that the new size is valid with this alignment.
    let new = unsafe { inner_layout(new_size, align, kind_of(&pending)) };
    let moved = waiting::ask(|| {
        if old.align() == new.align() {
            // SAFETY: the layout it was made with; the new size is the caller's.
            unsafe { inner.realloc(block, old, new_size) }
        } else {
            // SAFETY: both are the layouts of this block, before and after.
            unsafe { replace(inner, block, old, new) }
        }
    });
    settle(pending, moved, new_size, AllocKind::Resized);
    match taken {
        Some(taken) if moved.is_null() => taken.put_back(),
        Some(taken) => count_free(taken.release(), old_size),
        None => {}
    }
    moved
}

/// Decides on a block that was not skipped, on a stack of our own if it is one to be sampled.
fn draw(state: State, size: usize, stack: ThreadStack, caller: Caller) -> Option<PendingSample> {
    let weight = event::draw_weight(state, size)?;
    on_scratch_stack(|| event::prepare(weight, stack, caller)).unwrap_or_else(event::without_memory)
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

/// Makes of a block what was pending for it, now that it is there or is not.
fn settle(pending: Option<PendingSample>, block: *mut u8, size: usize, kind: AllocKind) {
    if let Some(pending) = pending
        && !block.is_null()
    {
        let count = || event::count_alloc(&pending, size, kind);
        let birth = with_room_in_debug_builds(count);
        event::enter(pending, block.addr(), birth);
    }
}

fn count_free(sample: Sample, size: usize) {
    with_room_in_debug_builds(|| event::count_free(sample, size));
}

fn kind_of(pending: &Option<PendingSample>) -> BlockKind {
    if pending.is_some() { BlockKind::Sampled } else { BlockKind::Plain }
}
