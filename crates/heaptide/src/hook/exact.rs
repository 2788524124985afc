//! The hook of a process that records every block: each carries a trailer.
//!
//! The quick way is one look-up, one call to the inner allocator and one count; it keeps the caller's
//! registers and needs nothing on the stack. What leads off it is out of line, and gets the caller in
//! registers, in the same ones, so that the quick way need neither spill nor move what only the others use.

use core::alloc::{GlobalAlloc, Layout};
use core::marker::PhantomData;
use core::ptr;

use super::layout::{Fill, alloc_padded, padded, padded_as_made, read_trailer, write_trailer};
use super::waiting;
use crate::entry::{
    self, AllocTarget, RequestTarget, ThreadStack, on_scratch_stack, with_room_in_debug_builds,
};
use crate::event::exact;
use crate::event::lookup::{self, CacheSearch, CountTarget, NoSlot, SlotLookup, SlowCountTarget};
use crate::globals::STATE;
use crate::shared::state::State;
use crate::shared::trailer::{PaddableSize, SiteIndex, Trailer};
use crate::thread::block::BlockGuard;
use crate::thread::stack_cache::Divergence;
use crate::unwind::Caller;

/// What stands behind the entry points while every block is recorded.
///
/// A type of this module, because the compiler puts a method where its type is. So the quick way is in
/// one unit with what is off it, where it is seen that an allocator without a value is no argument: that
/// saves the quick way a register.
#[derive(Debug)]
pub(super) struct ExactHook<A>(PhantomData<A>);

impl<A: GlobalAlloc> AllocTarget for ExactHook<A> {
    type Allocator = A;

    unsafe extern "C" fn alloc(
        size: usize,
        align: usize,
        inner: &A,
        sp: u64,
        fp: u64,
        ra: u64,
    ) -> *mut u8 {
        // SAFETY: the contract of the entry points is that of `alloc`.
        unsafe { alloc(inner, size, align, Caller { ra, sp, fp }, Fill::Any) }
    }

    unsafe extern "C" fn alloc_zeroed(
        size: usize,
        align: usize,
        inner: &A,
        sp: u64,
        fp: u64,
        ra: u64,
    ) -> *mut u8 {
        // SAFETY: as for `alloc`.
        unsafe { alloc(inner, size, align, Caller { ra, sp, fp }, Fill::Zero) }
    }
}

/// A block that is counted, if there is memory to do so.
///
/// # Safety
/// As [`GlobalAlloc::alloc`] for `size` and `align`; `caller` must be the frame that called the entry
/// point.
#[inline(always)]
unsafe fn alloc<A: GlobalAlloc>(
    inner: &A,
    size: usize,
    align: usize,
    caller: Caller,
    fill: Fill,
) -> *mut u8 {
    let state = STATE.load();
    // SAFETY: from here on only the walk and the stack cache ask, starting at `caller`.
    let stack = unsafe { ThreadStack::assume_walked() };
    let Caller { ra, sp, fp } = caller;
    match lookup::find_slot_fast(stack, caller, state, size) {
        // SAFETY: `align` is the caller's, of a block of the target's size.
        SlotLookup::Hit(target) => unsafe { alloc_fast(inner, align, target, fill) },
        // SAFETY: the caller's promise.
        SlotLookup::Diverged(guard, divergence) => unsafe {
            alloc_diverged(size, align, fill, sp, fp, ra, inner, guard, divergence)
        },
        // SAFETY: the caller's promise.
        SlotLookup::Miss => unsafe {
            alloc_slow(size, align, fill, sp, fp, ra, inner, CacheSearch::Due)
        },
    }
}

/// A block for which nothing but counting is to be done.
///
/// # Safety
/// As [`GlobalAlloc::alloc`] for the target's size and `align`.
// Not always, as `lookup::find_slot_fast`.
#[cfg_attr(not(debug_assertions), inline(always))]
#[cfg_attr(debug_assertions, inline)]
unsafe fn alloc_fast<A: GlobalAlloc>(
    inner: &A,
    align: usize,
    target: CountTarget,
    fill: Fill,
) -> *mut u8 {
    let size = target.size();
    // SAFETY: the caller's promise.
    let block = unsafe { alloc_padded(inner, size, align, fill) };
    if block.is_null() {
        return block;
    }
    let trailer = exact::count_alloc_fast(target, block.addr());
    // SAFETY: `alloc_padded` made room for a trailer behind the block's bytes.
    unsafe { write_trailer(block, size.bytes(), trailer) };
    block
}

/// A block whose stack parts from one in the cache.
///
/// # Safety
/// As [`alloc`], for the caller whose registers these are.
#[inline(never)]
#[expect(clippy::too_many_arguments, reason = "a struct would be spilled on the quick way")]
unsafe fn alloc_diverged<A: GlobalAlloc>(
    size: usize,
    align: usize,
    fill: Fill,
    sp: u64,
    fp: u64,
    ra: u64,
    inner: &A,
    guard: BlockGuard,
    divergence: Divergence,
) -> *mut u8 {
    let (state, caller) = (STATE.load(), Caller { ra, sp, fp });
    // SAFETY: from here on only the stack cache asks, which has followed this stack.
    let stack = unsafe { ThreadStack::assume_walked() };
    match lookup::find_slot_diverged(guard, stack, caller, divergence, state, size) {
        // SAFETY: `align` is the caller's, of a block of the target's size.
        Ok(target) => unsafe { alloc_fast(inner, align, target, fill) },
        // SAFETY: the caller's promise.
        Err(search) => unsafe { alloc_slow(size, align, fill, sp, fp, ra, inner, search) },
    }
}

/// A block whose stack is not in the cache, or for which more than counting is to be done.
///
/// # Safety
/// As [`alloc`], for the caller whose registers these are.
#[cold]
#[inline(never)]
#[expect(clippy::too_many_arguments, reason = "a struct would be spilled on the quick way")]
unsafe fn alloc_slow<A: GlobalAlloc>(
    size: usize,
    align: usize,
    fill: Fill,
    sp: u64,
    fp: u64,
    ra: u64,
    inner: &A,
    search: CacheSearch,
) -> *mut u8 {
    let Some(size) = PaddableSize::new(size) else { return ptr::null_mut() };
    // SAFETY: the caller's promise.
    let target = unsafe { find_target(Caller { ra, sp, fp }, search) };
    // SAFETY: the caller's promise.
    let block = waiting::ask(|| unsafe { alloc_padded(inner, size, align, fill) });
    if !block.is_null() {
        // SAFETY: `alloc_padded` made room for a trailer behind the block's bytes.
        unsafe { count(target, block, size) };
    }
    block
}

/// Where a block counts that is about to be made or resized.
///
/// # Safety
/// `caller` must be the frame that called the entry point.
unsafe fn find_target(caller: Caller, search: CacheSearch) -> Result<SlowCountTarget, NoSlot> {
    if !lookup::is_of_program() {
        return Err(NoSlot::NotRecorded);
    }
    // SAFETY: from here on only the walk and the stack cache ask, starting at the caller.
    let stack = unsafe { ThreadStack::assume_walked() };
    let target = on_scratch_stack(|| lookup::find_slot_slow(stack, caller, search));
    target.unwrap_or(Err(NoSlot::WithoutMemory))
}

/// Counts a block that is there now, and says so in its trailer.
///
/// # Safety
/// `block` must have `size` bytes and room for a trailer behind them.
unsafe fn count(target: Result<SlowCountTarget, NoSlot>, block: *mut u8, size: PaddableSize) {
    let trailer = match &target {
        Ok(target) => {
            with_room_in_debug_builds(|| exact::count_alloc_slow(target, block.addr(), size))
        }
        Err(why) => exact::without_slot(*why, block.addr(), size),
    };
    // SAFETY: the caller's promise.
    unsafe { write_trailer(block, size.bytes(), trailer) };
}

/// A block whose trailer says that it is not counted.
///
/// # Safety
/// As [`GlobalAlloc::alloc`] for `size` and `align`.
#[inline]
pub(super) unsafe fn alloc_uncounted<A: GlobalAlloc>(
    inner: &A,
    size: usize,
    align: usize,
    fill: Fill,
) -> *mut u8 {
    let Some(size) = PaddableSize::new(size) else { return ptr::null_mut() };
    // SAFETY: the caller's promise.
    let block = unsafe { alloc_padded(inner, size, align, fill) };
    if !block.is_null() {
        // SAFETY: `alloc_padded` made room for a trailer behind the block's bytes.
        unsafe { write_trailer(block, size.bytes(), exact::uncounted(block.addr())) };
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
    if !exact::count_free_fast(state, trailer, block.addr(), layout.size()) {
        // SAFETY: the caller's promise.
        return unsafe { dealloc_slow(block, layout.size(), layout.align(), inner, trailer) };
    }
    // SAFETY: this module made it with this layout.
    let padded = unsafe { padded_as_made(layout) };
    // SAFETY: the layout it was made with.
    unsafe { inner.dealloc(block, padded) };
}

/// The same for a block for which more is to be done than counting. It does all that is left, and gets what
/// the program passed in the same registers, so that the quick way need neither keep nor move anything for it.
///
/// # Safety
/// As [`dealloc`] for `size` and `align`; the trailer must be the block's.
#[cold]
#[inline(never)]
unsafe fn dealloc_slow<A: GlobalAlloc>(
    block: *mut u8,
    size: usize,
    align: usize,
    inner: &A,
    trailer: Trailer,
) {
    // SAFETY: the caller's promise.
    let layout = unsafe { Layout::from_size_align_unchecked(size, align) };
    with_room_in_debug_builds(|| exact::count_free_slow(trailer, block.addr(), size));
    // SAFETY: this module made it with this layout.
    let padded = unsafe { padded_as_made(layout) };
    // SAFETY: the layout it was made with.
    unsafe { inner.dealloc(block, padded) };
}

/// A resize that the program asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resize {
    block: *mut u8,
    layout: Layout,
    new_size: PaddableSize,
}

/// # Safety
/// As [`GlobalAlloc::realloc`]; the block must have been made by this module.
#[inline(always)]
pub(super) unsafe fn realloc<A: GlobalAlloc>(
    inner: &A,
    state: State,
    block: *mut u8,
    layout: Layout,
    new_size: usize,
) -> *mut u8 {
    let Some(new_size) = PaddableSize::new(new_size) else { return ptr::null_mut() };
    let resize = Resize { block, layout, new_size };
    // SAFETY: the block carries a trailer behind its `layout.size()` bytes.
    let trailer = unsafe { read_trailer(block, layout.size()) };
    if exact::is_from_before(state, trailer, block.addr()) {
        // SAFETY: the caller's promise.
        return unsafe { entry::request::<ExactHook<A>>(inner, &resize) };
    }
    if exact::outgrows_all(state, trailer, block.addr(), new_size) {
        // SAFETY: the caller's promise.
        return unsafe { entry::request::<GrowingHook<A>>(inner, &resize) };
    }
    // SAFETY: the caller's promise.
    unsafe { resize_known(inner, &resize, trailer, SiteIndex::NONE) }
}

/// A block that keeps its site and its birth.
///
/// # Safety
/// As [`realloc`]; the trailer must be the block's.
unsafe fn resize_known<A: GlobalAlloc>(
    inner: &A,
    resize: &Resize,
    trailer: Trailer,
    grown_at: SiteIndex,
) -> *mut u8 {
    let old = (resize.block.addr(), resize.layout.size());
    // SAFETY: the caller's promise.
    let moved = unsafe { resize_padded(inner, resize) };
    if !moved.is_null() {
        let new = (moved.addr(), resize.new_size);
        let count = || exact::count_resize(trailer, old, new, grown_at);
        let trailer = with_room_in_debug_builds(count);
        // SAFETY: `resize_padded` made room for a trailer behind the block's new bytes.
        unsafe { write_trailer(moved, resize.new_size.bytes(), trailer) };
    }
    moved
}

impl<A: GlobalAlloc> RequestTarget for ExactHook<A> {
    type Allocator = A;
    type Request = Resize;

    /// A block from before the recording, which is born here.
    unsafe extern "C" fn request(inner: &A, resize: &Resize, sp: u64, fp: u64, ra: u64) -> *mut u8 {
        // SAFETY: the entry point's promise.
        let target = unsafe { find_target(Caller { ra, sp, fp }, CacheSearch::Due) };
        // SAFETY: the contract of the entry point is that of `realloc`.
        let moved = unsafe { resize_padded(inner, resize) };
        if !moved.is_null() {
            if let Err(why) = target {
                exact::resized_without_slot(why, resize.layout.size());
            }
            // SAFETY: `resize_padded` made room for a trailer behind the block's new bytes.
            unsafe { count(target, moved, resize.new_size) };
        }
        moved
    }
}

/// What stands behind the entry point of a resize by which a block outgrows all before it.
#[derive(Debug)]
struct GrowingHook<A>(PhantomData<A>);

impl<A: GlobalAlloc> RequestTarget for GrowingHook<A> {
    type Allocator = A;
    type Request = Resize;

    /// A container that grows: where it does so is worth as much as where it was made.
    unsafe extern "C" fn request(inner: &A, resize: &Resize, sp: u64, fp: u64, ra: u64) -> *mut u8 {
        // SAFETY: the entry point's promise.
        let target = unsafe { find_target(Caller { ra, sp, fp }, CacheSearch::Due) };
        // The allocator is not called, nor anything counted, while the target's block is held. That a place
        // was not found loses nothing: the block counts where it was made.
        let grown_at = target.map_or(SiteIndex::NONE, |target| target.site);
        // SAFETY: the block carries a trailer behind its `layout.size()` bytes.
        let trailer = unsafe { read_trailer(resize.block, resize.layout.size()) };
        // SAFETY: the contract of the entry point is that of `realloc`.
        unsafe { resize_known(inner, resize, trailer, grown_at) }
    }
}

/// The block in its new size, with room for a trailer behind it. If this fails, block and trailer stay
/// as they are.
///
/// # Safety
/// As [`realloc`].
unsafe fn resize_padded<A: GlobalAlloc>(inner: &A, resize: &Resize) -> *mut u8 {
    let &Resize { block, layout, new_size } = resize;
    // SAFETY: this module made it with this layout.
    let old_padded = unsafe { padded_as_made(layout) };
    // SAFETY: the caller's promise, for the alignment and the new size.
    let new_padded = unsafe { padded(new_size, layout.align()) };
    // SAFETY: the layout it was made with, and a valid size.
    waiting::ask(|| unsafe { inner.realloc(block, old_padded, new_padded.size()) })
}
