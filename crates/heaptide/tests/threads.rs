//! Threads that come, go and die (docs/SAFETY.md, rules 5 and 10).

#![expect(unsafe_code, reason = "a destructor that libc calls after Rust's own")]

mod rig;

use std::alloc::System;
use std::cell::Cell;
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Barrier;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc;
use std::thread;

use heaptide::{Heaptide, Recorder};
use rig::recording::{Recording, less};
use rig::scratch;
use rig::tally::{self, Tally};

#[global_allocator]
static HEAP: Tally<Heaptide<System>> = Tally(Heaptide::with(System));

fn main() -> ExitCode {
    rig::main_sampled_too(
        &[
            ("teardown_is_counted", teardown_is_counted),
            ("ten_thousand_short_threads", ten_thousand_short_threads),
            ("a_thousand_threads_at_once", a_thousand_threads_at_once),
            ("blocks_may_be_freed_elsewhere", blocks_may_be_freed_elsewhere),
        ],
        &[],
    )
}

/// Does `work` between two snapshots and holds the shim's counts against the tally's.
fn check(name: &str, work: impl FnOnce(&Recorder)) -> Recording {
    let path = scratch(name);
    let recorder = Recorder::builder().output(&path).start().expect("a recording starts");
    tally::leave_out_recorder();
    let from = tally::snapshot(&recorder);
    let before = tally::so_far();
    work(&recorder);
    let counted = less(tally::so_far(), before);
    let to = tally::snapshot(&recorder);
    recorder.finish().expect("the end");
    let recording = Recording::read(&path);
    assert_eq!(recording.between(from, to), counted);
    assert_eq!(recording.last().dropped, heaptide_format::Dropped::default());
    recording
}

/// Leaks so many bytes.
fn leak(bytes: usize) {
    black_box(Box::leak(black_box(vec![1u8; bytes]).into_boxed_slice()));
}

struct LeaksAtTheEnd;

impl Drop for LeaksAtTheEnd {
    fn drop(&mut self) {
        leak(1000);
    }
}

thread_local! {
    static RUST: LeaksAtTheEnd = const { LeaksAtTheEnd };
    static ROUNDS: Cell<u32> = const { Cell::new(0) };
}

static KEY: AtomicU32 = AtomicU32::new(0);

/// Has [`leak_and_come_again`] called with `value`, which must not be null, when this thread ends.
fn come_again(value: *mut libc::c_void) {
    // SAFETY: the key was made before the threads were.
    unsafe { libc::pthread_setspecific(KEY.load(SeqCst), value) };
}

/// Runs after Rust's destructors, and asks to be run again, as often as libc agrees to.
extern "C" fn leak_and_come_again(value: *mut libc::c_void) {
    leak(100);
    ROUNDS.set(ROUNDS.get() + 1);
    if ROUNDS.get() < 4 {
        come_again(value);
    }
}

fn teardown_is_counted() {
    let mut key = 0;
    // SAFETY: `key` is ours to be written; the function has the expected shape.
    let made = unsafe { libc::pthread_key_create(&mut key, Some(leak_and_come_again)) };
    assert_eq!(made, 0);
    KEY.store(key, SeqCst);
    let recording = check("teardown", |_| {
        for _ in 0..10 {
            let dying = thread::spawn(|| {
                let _scope = heaptide::tag("dying");
                RUST.with(|_| ());
                come_again(KEY.as_ptr().cast());
            });
            dying.join().expect("the thread ends well");
        }
    });
    let live = recording.last().heap.live_bytes;
    assert!(live >= 10 * (1000 + 4 * 100), "{live} bytes are live; the dying leaked more");
}

fn ten_thousand_short_threads() {
    let recording = check("short_threads", |recorder| {
        for _ in 0..10 {
            for _ in 0..250 {
                let spawn = |_| thread::spawn(|| drop(black_box(vec![1u8; 100])));
                let threads: [_; 4] = [0; 4].map(spawn);
                for thread in threads {
                    thread.join().expect("a short thread ends well");
                }
            }
            tally::snapshot(recorder);
        }
    });
    let own: Vec<u64> = recording.snapshots.iter().map(|snapshot| snapshot.own_bytes).collect();
    let grown = own[10].saturating_sub(own[2]);
    // Four at once may need four blocks, sooner or later; 8,000 would need hundreds of megabytes.
    assert!(grown < 1 << 20, "our own memory grew with 8,000 threads: {own:?}");
}

fn a_thousand_threads_at_once() {
    fn wave() {
        let together = Barrier::new(1000);
        thread::scope(|scope| {
            let start = |_| {
                let small = thread::Builder::new().stack_size(64 << 10);
                let body = || {
                    let kept = black_box(Box::new([1u8; 64]));
                    together.wait();
                    drop(kept);
                };
                small.spawn_scoped(scope, body).expect("the system allows a thousand threads")
            };
            // Joined one by one: the end of a scope does not wait for what a thread frees last.
            let threads: Vec<_> = (0..1000).map(start).collect();
            threads.into_iter().for_each(|thread| thread.join().expect("it ends well"));
        });
    }
    let recording = check("at_once", |recorder| {
        for _ in 0..3 {
            wave();
            tally::snapshot(recorder);
        }
    });
    let own: Vec<u64> = recording.snapshots.iter().map(|snapshot| snapshot.own_bytes).collect();
    let grown = own[3].saturating_sub(own[2]);
    // Of its block a thread may touch a page more than the one before it did; another block for each
    // would be three times as much.
    assert!(grown < 1000 * 4 * 4096, "our own memory grew with the third thousand: {own:?}");
}

fn blocks_may_be_freed_elsewhere() {
    let recording = check("elsewhere", |_| {
        let (give, take) = mpsc::sync_channel::<Vec<u8>>(16);
        let taker = thread::spawn(move || take.into_iter().for_each(drop));
        for size in 1..2000 {
            let _scope = heaptide::tag("passed on");
            give.send(vec![1u8; size]).expect("the taker is there");
        }
        drop(give);
        taker.join().expect("the taker ends well");
    });
    let passed = recording.under(recording.last().seq, "passed on");
    assert_eq!(passed.live_bytes, passed.alloc_bytes - passed.freed_bytes);
    assert!(passed.frees >= 1999, "{passed:?}");
}
