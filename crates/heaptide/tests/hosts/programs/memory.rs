//! How much memory the program's blocks take.

use std::alloc::{Layout, alloc, dealloc};

use crate::{Plan, Profiler, Program, alive, note};

pub(crate) const PROGRAMS: &[(&str, Program)] = &[
    ("page-sized-blocks", |profiler| blocks(profiler, 8)),
    ("page-aligned-blocks", |profiler| blocks(profiler, 4096)),
];

/// Bytes of this process that are in memory.
pub(crate) fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux has /proc");
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.expect("the second number of statm") * 4096
}

/// Blocks of 4,096 bytes are what allocators are best at. The matrix compares what one takes with
/// what it takes under the same allocator alone.
fn blocks(profiler: &'static dyn Profiler, align: usize) {
    const N_BLOCKS: usize = 20_000;
    let layout = Layout::from_size_align(4096, align).expect("a good layout");
    let recording = profiler.start(&Plan::default()).expect("a recording starts");
    let mut blocks = Vec::with_capacity(N_BLOCKS);
    let before = resident_bytes();
    blocks.extend((0..N_BLOCKS).map(|_| filled(layout)));
    note("bytes_per_block", (resident_bytes() - before) / N_BLOCKS);
    blocks.into_iter().for_each(|block| free(block, layout));
    recording.finish().expect("the end");
    alive();
}

#[expect(unsafe_code, reason = "a block with a layout of its own")]
fn filled(layout: Layout) -> *mut u8 {
    // SAFETY: the layout's size is not zero.
    let block = unsafe { alloc(layout) };
    assert!(!block.is_null());
    // SAFETY: inside the block.
    unsafe { block.write_bytes(1, layout.size()) };
    block
}

#[expect(unsafe_code, reason = "a block with a layout of its own")]
fn free(block: *mut u8, layout: Layout) {
    // SAFETY: made by `filled` with this layout.
    unsafe { dealloc(block, layout) };
}
