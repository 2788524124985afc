//! The least that an allocator can do which counts: two numbers per thread. What a profiler adds to
//! this is the price of knowing where.

#![expect(unsafe_code, reason = "implements GlobalAlloc")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::process::ExitCode;

#[global_allocator]
static HEAP: Counting = Counting;

struct Counting;

/// Blocks and bytes that this thread allocated, less those that it freed.
#[derive(Clone, Copy)]
struct Live {
    blocks: i64,
    bytes: i64,
}

thread_local! {
    static LIVE: Cell<Live> = const { Cell::new(Live { blocks: 0, bytes: 0 }) };
}

fn count(blocks: i64, bytes: i64) {
    let _ = LIVE.try_with(|live| {
        let now = live.get();
        live.set(Live { blocks: now.blocks + blocks, bytes: now.bytes + bytes });
    });
}

// SAFETY: every call goes to the system's allocator as it came, and its answer comes back.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as i64);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as i64);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(0, new_size as i64 - layout.size() as i64);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.realloc(block, layout, new_size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-1, -(layout.size() as i64));
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(block, layout) }
    }
}

fn main() -> ExitCode {
    heaptide_bench::main(|| {
        let live = LIVE.get();
        eprintln!("{} blocks, {} bytes live in this thread", live.blocks, live.bytes);
    })
}
