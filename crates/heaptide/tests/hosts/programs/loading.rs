//! Programs with C in them: libraries that come and go, and neighbours that share the heap.

#![expect(unsafe_code, reason = "calls functions of a C library")]

use std::ffi::{c_int, c_void};
use std::hint::black_box;

use crate::call::Library;
use crate::load::{Load, allocate_at};
use crate::{Plan, Profiler, Program, alive, times};

pub(crate) const PROGRAMS: &[(&str, Program)] = &[
    ("library-comes-and-goes", library_comes_and_goes),
    ("callbacks-through-c", callbacks_through_c),
    ("long-jumps", long_jumps),
    ("c-frees-blocks", c_frees_blocks),
];

/// What `neighbour.c` calls back.
type Callback = unsafe extern "C" fn(*mut c_void);

/// A function of the neighbour's that calls back.
fn calls_back(
    library: &Library,
    name: &std::ffi::CStr,
) -> extern "C" fn(Callback, *mut c_void) -> c_int {
    // SAFETY: the functions that are asked for have this type.
    unsafe { std::mem::transmute(library.function(name)) }
}

extern "C" fn allocates(turns: *mut c_void) {
    drop(black_box(allocate_at(turns.addr() as u64, 6, 70_000)));
}

/// A library is loaded, calls back into code that allocates, and is unloaded, while other threads
/// allocate under new stacks: the addresses of its code are soon another's.
fn library_comes_and_goes(profiler: &'static dyn Profiler) {
    let recording = profiler.start(&Plan::default()).expect("a recording starts");
    let load = Load::start(2);
    for round in 0..times(100) {
        let library = Library::neighbour();
        calls_back(&library, c"neighbour_call")(allocates, std::ptr::without_provenance_mut(round));
    }
    drop(load);
    recording.finish().expect("the end");
    alive();
}

fn callbacks_through_c(profiler: &'static dyn Profiler) {
    let recording = profiler.start(&Plan::default()).expect("a recording starts");
    let library = Library::neighbour();
    for round in 0..100 {
        let turns = std::ptr::without_provenance_mut(round);
        calls_back(&library, c"neighbour_call")(allocates, turns);
        calls_back(&library, c"neighbour_sort")(allocates, turns);
    }
    recording.finish().expect("the end");
    alive();
}

/// C code leaves frames by `longjmp` that have allocated; what they held is lost, nothing else.
fn long_jumps(profiler: &'static dyn Profiler) {
    let recording = profiler.start(&Plan::default()).expect("a recording starts");
    let library = Library::neighbour();
    for round in 0..100 {
        let turns = std::ptr::without_provenance_mut(round);
        let jumped = calls_back(&library, c"neighbour_jump")(allocates, turns);
        assert_eq!(jumped, 1);
        drop(black_box(allocate_at(round as u64, 8, 70_000)));
    }
    recording.finish().expect("the end");
    alive();
}

/// C frees what Rust allocated, as code at such borders does where both have the same heap, and asks
/// how large it is. Blocks that come to lie there later are counted as if nothing had been.
fn c_frees_blocks(profiler: &'static dyn Profiler) {
    let recording = profiler.start(&Plan::default()).expect("a recording starts");
    for round in 0..500usize {
        let size = 100 + round % 7 * 20_000;
        let block = Box::into_raw(vec![1u8; size].into_boxed_slice()).cast::<c_void>();
        // SAFETY: a block of the C library's, which is the allocator below.
        let usable = unsafe { libc::malloc_usable_size(block) };
        assert!(usable >= size, "{usable} of {size} bytes");
        // SAFETY: as above; it is not used again.
        unsafe { libc::free(block) };
        // Here it lies, a little smaller than what was there; and then it grows.
        let mut next = black_box(vec![2u8; size - 1 - round % 8]);
        next.reserve_exact(100);
        drop(black_box(next));
    }
    recording.snapshot().expect("a snapshot");
    recording.finish().expect("the end");
    alive();
}
