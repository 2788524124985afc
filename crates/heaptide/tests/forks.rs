//! Processes that fork while their threads allocate on ever new stacks: no child finds a lock of the
//! loader or of the C library held for ever by a thread that it does not have (docs/SAFETY.md, rules 3
//! and 8).
//!
//! `RIG_FORKS=20000 RIG_PATIENCE_S=3000 cargo test --release -p heaptide --test forks` is the longer run.

#![expect(unsafe_code, reason = "loads shared objects, and asks for those that are loaded")]

mod rig;

use std::ffi::{CStr, c_int, c_void};
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

use heaptide::{Heaptide, Recorder};
use rig::recording::Recording;
use rig::{proc, scratch};

#[global_allocator]
static HEAP: Heaptide = Heaptide::new();

fn main() -> ExitCode {
    rig::main(
        &[
            ("children_that_record_and_load_libraries", children_that_record_and_load),
            ("children_of_a_process_that_loads_libraries", children_of_one_that_loads),
        ],
        &[],
    )
}

/// Forks in each test.
fn n_forks() -> u32 {
    let asked = std::env::var("RIG_FORKS").ok();
    asked.map_or(300, |forks| forks.parse().expect("RIG_FORKS is a number"))
}

/// Allocates at the end of a path of calls that the bits of `path` name.
#[inline(never)]
fn walk(path: u32, n_calls: u32) {
    #[inline(never)]
    fn other(path: u32, n_calls: u32) {
        walk(path >> 1, n_calls - 1);
        black_box(path);
    }
    match n_calls {
        0 => drop(black_box(Box::new(path))),
        _ if path & 1 == 0 => walk(path >> 1, n_calls - 1),
        _ => other(path, n_calls),
    }
    black_box(path);
}

/// A new thread remembers no stack, so it unwinds every one.
fn allocate_on_new_stacks(done: &AtomicBool) {
    while !done.load(Relaxed) {
        let newcomer = thread::spawn(|| (0..256).for_each(|path| walk(path, 8)));
        newcomer.join().expect("it only allocates");
    }
}

/// A part of the C library that nobody needs.
const LIBRARY: &CStr = c"libresolv.so.2";

fn load_and_unload() {
    // SAFETY: its constructors do nothing.
    let handle = unsafe { libc::dlopen(LIBRARY.as_ptr(), libc::RTLD_NOW) };
    assert!(!handle.is_null());
    // SAFETY: nothing of it is in use.
    assert_eq!(unsafe { libc::dlclose(handle) }, 0);
}

fn n_loaded() -> u32 {
    unsafe extern "C" fn count(_: *mut libc::dl_phdr_info, _: usize, n: *mut c_void) -> c_int {
        // SAFETY: `n_loaded` passes a number.
        unsafe { *n.cast::<u32>() += 1 };
        0
    }
    let mut n = 0u32;
    // SAFETY: `count` has the right shape, and `n` outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(count), (&raw mut n).cast()) };
    n
}

fn record_a_little(round: u32) {
    let path = scratch(&format!("forked{}", round % 2));
    let recorder = Recorder::builder().output(&path).start().expect("a recording starts");
    (0..20).for_each(|path| walk(path, 5));
    recorder.finish().expect("the end");
    let read = Recording::read(&path);
    assert_eq!(read.last().dropped.blocks, 0);
    std::fs::remove_file(path).expect("its recording");
}

/// Forks again and again while `load` runs in threads. A child that hangs is killed by its alarm.
fn fork_under(load: fn(&AtomicBool), child: fn(u32)) {
    let path = scratch("parent_of_many");
    let recorder = Recorder::builder().output(&path).start().expect("a recording starts");
    let done = AtomicBool::new(false);
    let mut hung = 0;
    thread::scope(|scope| {
        for work in [allocate_on_new_stacks, load] {
            let done = &done;
            scope.spawn(move || work(done));
        }
        for round in 0..n_forks() {
            if round % 8 == 0 {
                recorder.snapshot().expect("a snapshot");
            }
            let status = proc::wait(proc::fork(|| child(round)));
            hung += u32::from(!status.success());
        }
        done.store(true, Relaxed);
    });
    recorder.finish().expect("the parent goes on recording");
    assert_eq!(hung, 0, "of {} children hung", n_forks());
}

fn children_that_record_and_load() {
    fork_under(allocate_on_new_stacks, |round| {
        if round % 2 == 0 {
            record_a_little(round);
        } else {
            load_and_unload();
            assert!(n_loaded() > 1);
            walk(round, 9);
        }
    });
}

/// Here a child must leave the loader alone, for the parent itself may hold its lock.
fn children_of_one_that_loads() {
    let load = |done: &AtomicBool| {
        while !done.load(Relaxed) {
            load_and_unload();
        }
    };
    fork_under(load, record_a_little);
}
