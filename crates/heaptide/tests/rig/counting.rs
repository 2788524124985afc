//! An allocator that counts the calls of each thread and passes them on.
//!
//! One stands around the shim and one inside it: what the program called and what reached the
//! inner allocator must be the same, call by call, in every thread.

#![expect(unsafe_code, reason = "implements GlobalAlloc")]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;

/// Around the shim.
pub(crate) const OUTER: usize = 0;
/// Inside it.
pub(crate) const INNER: usize = 1;

/// Calls by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    pub(crate) alloc: u64,
    pub(crate) alloc_zeroed: u64,
    pub(crate) realloc: u64,
    pub(crate) dealloc: u64,
}

impl Calls {
    const NONE: Self = Self { alloc: 0, alloc_zeroed: 0, realloc: 0, dealloc: 0 };
}

thread_local! {
    static CALLS: [Cell<Calls>; 2] = const { [Cell::new(Calls::NONE), Cell::new(Calls::NONE)] };
}

/// What this thread has called so far at a place.
pub(crate) fn calls(place: usize) -> Calls {
    CALLS.with(|calls| calls[place].get())
}

fn count(place: usize, add: impl FnOnce(&mut Calls)) {
    let _ = CALLS.try_with(|calls| {
        let mut now = calls[place].get();
        add(&mut now);
        calls[place].set(now);
    });
}

/// Counts at `PLACE` and passes on.
#[derive(Debug)]
pub(crate) struct Counting<const PLACE: usize, A>(pub(crate) A);

// SAFETY: every call goes to the inner allocator as it came, and its answer comes back.
unsafe impl<const PLACE: usize, A: GlobalAlloc> GlobalAlloc for Counting<PLACE, A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(PLACE, |calls| calls.alloc += 1);
        // SAFETY: the caller's promise, passed on.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(PLACE, |calls| calls.alloc_zeroed += 1);
        // SAFETY: the caller's promise, passed on.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(PLACE, |calls| calls.realloc += 1);
        // SAFETY: the caller's promise, passed on.
        unsafe { self.0.realloc(block, layout, new_size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(PLACE, |calls| calls.dealloc += 1);
        // SAFETY: the caller's promise, passed on.
        unsafe { self.0.dealloc(block, layout) }
    }
}
