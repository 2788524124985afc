//! What the inner allocator is asked for: in exact mode a block with eight more bytes, in sampled mode
//! sometimes one on a page boundary.
//!
//! A small sampled block begins on a page boundary, where few others do, so that most frees need not
//! look into the table. A large block is looked up whether it is sampled or not: compared with what
//! it costs to make one, that is nothing, and so large blocks are made just as the program asked.
//! Zeroes stay lazy, a `realloc` in place stays in place, and one that moves pages still moves them.

use core::alloc::{GlobalAlloc, Layout};

use crate::shared::trailer::{PaddableSize, TRAILER_BYTES, Trailer};

/// Which of the inner allocator's calls makes the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fill {
    /// `alloc`.
    Any,
    /// `alloc_zeroed`.
    Zero,
}

/// The layout of a block with its trailer.
///
/// # Safety
/// `align` must be that of a valid layout of a block that is not empty.
#[inline(always)]
pub(super) unsafe fn padded(size: PaddableSize, align: usize) -> Layout {
    // SAFETY: `align` is a power of two of at most 2^62, since a block that is not empty fits into
    // `isize::MAX` when rounded up to it. A `PaddableSize` is at most 2^61, so with the trailer and
    // rounded up it stays at most 2^62.
    unsafe { Layout::from_size_align_unchecked(size.bytes() + TRAILER_BYTES, align) }
}

/// The layout that a block with a trailer was made with.
///
/// # Safety
/// `layout` must be what the program asked for, and the block must have been made by
/// [`alloc_padded`], or resized to a [`PaddableSize`].
#[inline(always)]
pub(super) unsafe fn padded_as_made(layout: Layout) -> Layout {
    // SAFETY: so this is a layout that `padded` has returned before.
    unsafe { Layout::from_size_align_unchecked(layout.size() + TRAILER_BYTES, layout.align()) }
}

/// A block from the inner allocator, with room for a trailer behind its `size` bytes.
///
/// # Safety
/// As [`GlobalAlloc::alloc`] for `size` and `align`.
#[inline(always)]
pub(super) unsafe fn alloc_padded<A: GlobalAlloc>(
    inner: &A,
    size: PaddableSize,
    align: usize,
    fill: Fill,
) -> *mut u8 {
    // SAFETY: the caller's promise.
    let padded = unsafe { padded(size, align) };
    // SAFETY: `padded` is a valid layout, and not of size zero.
    unsafe { alloc_inner(inner, padded, fill) }
}

/// A block just as the inner allocator makes it.
///
/// # Safety
/// As [`GlobalAlloc::alloc`].
#[inline(always)]
pub(super) unsafe fn alloc_inner<A: GlobalAlloc>(inner: &A, layout: Layout, fill: Fill) -> *mut u8 {
    match fill {
        // SAFETY: the caller's promise.
        Fill::Any => unsafe { inner.alloc(layout) },
        // SAFETY: the caller's promise.
        Fill::Zero => unsafe { inner.alloc_zeroed(layout) },
    }
}

/// The trailer behind a block of `size` bytes.
///
/// # Safety
/// `block` must have `size` bytes and a trailer behind them.
#[inline]
pub(super) unsafe fn read_trailer(block: *const u8, size: usize) -> Trailer {
    // SAFETY: the caller's promise.
    let at = unsafe { block.add(size) };
    // SAFETY: the caller's promise; the trailer need not be aligned.
    Trailer::from_memory(unsafe { at.cast::<u64>().read_unaligned() })
}

/// Puts a trailer behind a block of `size` bytes.
///
/// # Safety
/// `block` must have `size` bytes and room for a trailer behind them.
#[inline]
pub(super) unsafe fn write_trailer(block: *mut u8, size: usize, trailer: Trailer) {
    // SAFETY: the caller's promise.
    let at = unsafe { block.add(size) };
    // SAFETY: the caller's promise; the trailer need not be aligned.
    unsafe { at.cast::<u64>().write_unaligned(trailer.to_memory()) };
}

/// Sampled blocks below [`LARGE_BYTES`] are aligned to this: one small block in 256 lies so by chance
/// where allocators align to 16 bytes, and is looked up in vain when it is freed.
const PAGE_BYTES: usize = 4096;
/// Blocks from this size on are made as the program asked, and all are looked up. Below, aligning a
/// sampled one costs less than an eighth of this size.
const LARGE_BYTES: usize = 32 << 10;

/// Whether a block is in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BlockKind {
    Plain,
    Sampled,
}

/// False if no sampled block can be at `addr` with `size` bytes.
#[inline(always)]
pub(super) fn may_be_sampled(addr: usize, size: usize) -> bool {
    addr.is_multiple_of(PAGE_BYTES) || size >= LARGE_BYTES
}

/// The alignment that the inner allocator is asked for: a function of what is known of a block
/// when it is made and when it is freed alike.
#[inline]
fn inner_align(size: usize, align: usize, kind: BlockKind) -> usize {
    match kind {
        BlockKind::Sampled if size < LARGE_BYTES => align.max(PAGE_BYTES),
        _ => align,
    }
}

/// The layout that a block is made with and given back with.
///
/// # Safety
/// `size` and `align` must be those of a valid layout.
#[inline]
pub(super) unsafe fn inner_layout(size: usize, align: usize, kind: BlockKind) -> Layout {
    let align = inner_align(size, align, kind);
    // SAFETY: `inner_align` returns `align`, or a power of two for a size far below `isize::MAX`.
    unsafe { Layout::from_size_align_unchecked(size, align) }
}
