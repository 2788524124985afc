//! Where sampled blocks lie, so that most frees need not look into the table.
//!
//! A small sampled block begins on a page boundary, where few others do. A large block is looked
//! up whether it is sampled or not: compared with what it costs to make one, that is nothing, and
//! so large blocks are made just as the program asked. Zeroes stay lazy, a `realloc` in place
//! stays in place, and one that moves pages still moves them.

#![forbid(unsafe_code)]

/// Sampled blocks below [`LARGE_BYTES`] are aligned to this.
const PAGE_BYTES: usize = 4096;
/// Blocks from this size on are made as the program asked.
pub(crate) const LARGE_BYTES: usize = 32 << 10;

/// Whether a block is in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Plain,
    Sampled,
}

/// False if no sampled block can be at `addr` with `size` bytes.
#[inline(always)]
pub(crate) fn may_be_sampled(addr: usize, size: usize) -> bool {
    addr.is_multiple_of(PAGE_BYTES) || size >= LARGE_BYTES
}

/// The alignment that the inner allocator is asked for: a function of what is known of a block
/// when it is made and when it is freed alike.
#[inline]
pub(crate) fn inner_align(size: usize, align: usize, standing: Standing) -> usize {
    match standing {
        Standing::Sampled if size < LARGE_BYTES => align.max(PAGE_BYTES),
        _ => align,
    }
}
