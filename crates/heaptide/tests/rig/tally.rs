//! The oracle that is too simple to be wrong: five counters around the shim.
//!
//! It leaves out what the shim leaves out of its counts too, since it is not the program's: the
//! recorder's thread, and the calls that talk to it.

#![expect(unsafe_code, reason = "implements GlobalAlloc")]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::io::ErrorKind;
use std::sync::atomic::AtomicI32;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use heaptide::{Error, Recorder};
use heaptide_format::HeapTotals;

use super::proc;

static ALLOCS: AtomicU64 = AtomicU64::new(0);
static FREES: AtomicU64 = AtomicU64::new(0);
static ALLOC_BYTES: AtomicU64 = AtomicU64::new(0);
static FREED_BYTES: AtomicU64 = AtomicU64::new(0);
static REALLOCS: AtomicU64 = AtomicU64::new(0);
/// The thread that is not counted.
static RECORDER: AtomicI32 = AtomicI32::new(0);

/// Leaves out the recorder's thread from now on.
pub(crate) fn leave_out_recorder() {
    // It names itself, maybe only after it was seen to run.
    let recorder = loop {
        let mut others = proc::other_threads().into_iter();
        match others.find(|&id| proc::thread_name(id) == "heaptide") {
            Some(recorder) => break recorder,
            None => std::thread::yield_now(),
        }
    };
    RECORDER.store(recorder, Relaxed);
}

/// What was counted so far. Live numbers wrap below zero for blocks from before.
pub(crate) fn so_far() -> HeapTotals {
    let (allocs, frees) = (ALLOCS.load(Relaxed), FREES.load(Relaxed));
    let (alloc_bytes, freed_bytes) = (ALLOC_BYTES.load(Relaxed), FREED_BYTES.load(Relaxed));
    HeapTotals {
        allocs,
        frees,
        alloc_bytes,
        freed_bytes,
        reallocs: REALLOCS.load(Relaxed),
        live_objects: allocs - frees,
        live_bytes: alloc_bytes - freed_bytes,
    }
}

thread_local! {
    static TALKS_TO_RECORDER: Cell<bool> = const { Cell::new(false) };
}

/// Takes a snapshot, however long that takes; what it allocates in this thread is not counted.
pub(crate) fn snapshot(recorder: &Recorder) -> u64 {
    TALKS_TO_RECORDER.set(true);
    let seq = loop {
        match recorder.snapshot() {
            // A full table on a busy machine may take longer than the recorder is waited for.
            Err(Error::Write(err)) if err.kind() == ErrorKind::TimedOut => {}
            taken => break taken.expect("a snapshot"),
        }
    };
    TALKS_TO_RECORDER.set(false);
    seq
}

fn add(to: &AtomicU64, n: usize) {
    to.fetch_add(n as u64, Relaxed);
}

fn is_counted(block: *mut u8) -> bool {
    let talks = TALKS_TO_RECORDER.try_with(Cell::get).unwrap_or(false);
    !block.is_null() && !talks && proc::thread_id() != RECORDER.load(Relaxed)
}

fn born(block: *mut u8, bytes: usize) -> *mut u8 {
    if is_counted(block) {
        add(&ALLOCS, 1);
        add(&ALLOC_BYTES, bytes);
    }
    block
}

/// Counts and passes on.
#[derive(Debug)]
pub(crate) struct Tally<A>(pub(crate) A);

// SAFETY: every call goes to the inner allocator as it came, and its answer comes back.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Tally<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise, passed on.
        born(unsafe { self.0.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise, passed on.
        born(unsafe { self.0.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's promise, passed on.
        let moved = unsafe { self.0.realloc(block, layout, new_size) };
        if is_counted(moved) {
            add(&REALLOCS, 1);
            add(&ALLOC_BYTES, new_size);
            add(&FREED_BYTES, layout.size());
        }
        moved
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if is_counted(block) {
            add(&FREES, 1);
            add(&FREED_BYTES, layout.size());
        }
        // SAFETY: the caller's promise, passed on.
        unsafe { self.0.dealloc(block, layout) }
    }
}
