//! Programs with many threads, and with work left for the end of a thread or of the process.

#![expect(unsafe_code, reason = "functions for the C library to call at the end")]

use std::cell::RefCell;
use std::ffi::c_void;
use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

use crate::load::churn;
use crate::memory::resident_bytes;
use crate::{Plan, Profiler, Program, alive, note};

pub(crate) const PROGRAMS: &[(&str, Program)] = &[
    ("short-threads", short_threads),
    ("threads-at-once", threads_at_once),
    ("destructors", destructors),
    ("exit-handlers", exit_handlers),
];

/// Ten thousand threads, one after the other, that do a little each.
fn short_threads(profiler: &'static dyn Profiler) {
    let recording = profiler.start(&Plan::default()).expect("a recording starts");
    let run = |n| {
        for _ in 0..n {
            thread::spawn(|| drop(black_box(vec![1u8; 100]))).join().expect("a thread");
        }
    };
    run(1000);
    let before = resident_bytes();
    run(9000);
    note("growth_kib", resident_bytes().saturating_sub(before) >> 10);
    recording.finish().expect("the end");
    alive();
}

/// A thousand threads that all live at the same time.
fn threads_at_once(profiler: &'static dyn Profiler) {
    let recording = profiler.start(&Plan::default()).expect("a recording starts");
    let all_there = Barrier::new(1000);
    thread::scope(|scope| {
        for _ in 0..1000 {
            let begin = thread::Builder::new().stack_size(64 << 10);
            let spawned = begin.spawn_scoped(scope, || {
                drop(black_box(vec![1u8; 100]));
                all_there.wait();
                drop(black_box(vec![1u8; 200]));
            });
            spawned.expect("a thread");
        }
    });
    note("resident_kib", resident_bytes() >> 10);
    recording.finish().expect("the end");
    alive();
}

static DROPPED: AtomicU32 = AtomicU32::new(0);
static KEY: AtomicU32 = AtomicU32::new(0);

struct AllocatesInDrop(Vec<u8>);

impl Drop for AllocatesInDrop {
    fn drop(&mut self) {
        self.0.extend_from_slice(&[1; 1000]);
        churn();
        DROPPED.fetch_add(1, Relaxed);
    }
}

thread_local! {
    static LAST: RefCell<Option<AllocatesInDrop>> = const { RefCell::new(None) };
}

/// Called with the box that the thread left, and leaves another one, a few times over.
unsafe extern "C" fn leaves_another(left: *mut c_void) {
    // SAFETY: a box that was left below or by an earlier call.
    let rounds = *unsafe { Box::from_raw(left.cast::<u32>()) };
    churn();
    DROPPED.fetch_add(1, Relaxed);
    if rounds > 0 {
        leave(rounds - 1);
    }
}

fn leave(rounds: u32) {
    let left = Box::into_raw(Box::new(rounds));
    // SAFETY: the key exists, and its destructor takes a box like this.
    unsafe { libc::pthread_setspecific(KEY.load(Relaxed), left.cast()) };
}

/// Threads whose last act is to allocate: in a destructor of the language's and in one of the C
/// library's that is called again for what it left.
fn destructors(profiler: &'static dyn Profiler) {
    let mut key = 0;
    // SAFETY: `key` is writable, and the destructor takes what is left under it.
    let made = unsafe { libc::pthread_key_create(&mut key, Some(leaves_another)) };
    assert_eq!(made, 0);
    KEY.store(key, Relaxed);
    let recording = profiler.start(&Plan::default()).expect("a recording starts");
    for _ in 0..200 {
        let spawned = thread::spawn(|| {
            LAST.set(Some(AllocatesInDrop(vec![1; 10])));
            leave(2);
        });
        spawned.join().expect("a thread");
    }
    assert_eq!(DROPPED.load(Relaxed), 200 * 4);
    recording.finish().expect("the end");
    alive();
}

extern "C" fn allocates_at_exit() {
    churn();
    // Standard output may be gone by now; the C library's calls are not.
    let line = c"alive\n";
    // SAFETY: a string of six bytes.
    unsafe { libc::write(1, line.as_ptr().cast(), 6) };
}

/// The program's last word is said in a handler that allocates, when `main` is long over.
fn exit_handlers(profiler: &'static dyn Profiler) {
    // SAFETY: a plain function.
    unsafe { libc::atexit(allocates_at_exit) };
    let recording = profiler.start(&Plan::default()).expect("a recording starts");
    // SAFETY: as above; one that is called before, and one that is called after the recorder's.
    unsafe { libc::atexit(churn_at_exit) };
    std::mem::forget(recording);
}

extern "C" fn churn_at_exit() {
    churn();
}
