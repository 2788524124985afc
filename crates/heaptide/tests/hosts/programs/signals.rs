//! Programs under storms of signals, and those that a signal ends.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use crate::load::{Load, Paths, allocate_at, churn};
use crate::{Plan, Profiler, Program, alive, call, note};

pub(crate) const PROGRAMS: &[(&str, Program)] = &[
    ("terminated-in-a-storm", |profiler| in_a_storm(profiler, terminates)),
    ("exits-in-a-storm", |profiler| in_a_storm(profiler, || std::process::exit(0))),
    ("handlers-allocate", handlers_allocate),
    ("stopped-and-continued", stopped_and_continued),
    ("terminated-later", terminated_later),
];

static HANDLED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count(_signal: i32) {
    HANDLED.fetch_add(1, Relaxed);
}

/// A child sends ten thousand signals a second that ask for snapshots, while threads allocate; and
/// then the program ends. The matrix measures how long that takes.
fn in_a_storm(profiler: &'static dyn Profiler, end: fn()) {
    call::handle(libc::SIGUSR2, count);
    let target = call::own_pid();
    call::fork(120, || {
        while call::parent_pid() == target {
            // The target may be gone by now.
            let _ = std::panic::catch_unwind(|| call::kill(target, libc::SIGUSR2));
            thread::sleep(Duration::from_micros(50));
        }
    });
    let plan = Plan { signal: Some(libc::SIGUSR2), finish_on_termination: true, ..Plan::default() };
    let recording = profiler.start(&plan).expect("a recording starts");
    // Few sites: what is measured is not how long a large snapshot takes.
    let _load = Load::of_depth(2, 10);
    while HANDLED.load(Relaxed) < 3000 {
        thread::sleep(Duration::from_millis(10));
    }
    std::mem::forget(recording);
    println!("ending");
    end();
}

fn terminates() {
    call::kill(call::own_pid(), libc::SIGTERM);
    loop {
        thread::park();
    }
}

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn allocates(_signal: i32) {
    let n = ALLOCATED.fetch_add(1, Relaxed);
    drop(black_box(allocate_at(n as u64, 10, 100)));
    drop(black_box(vec![1u8; n % 300 + 1]));
}

/// Threads that only sleep get signals whose handlers allocate, which is allowed; others
/// allocate meanwhile, with that signal blocked.
fn handlers_allocate(profiler: &'static dyn Profiler) {
    call::handle(libc::SIGUSR1, allocates);
    call::block(libc::SIGUSR1, libc::SIG_BLOCK);
    let recording = profiler.start(&Plan::default()).expect("a recording starts");
    let load = Load::start(2);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                call::block(libc::SIGUSR1, libc::SIG_UNBLOCK);
                while !done.load(Relaxed) {
                    thread::sleep(Duration::from_millis(1));
                }
                call::block(libc::SIGUSR1, libc::SIG_BLOCK);
            });
        }
        while ALLOCATED.load(Relaxed) < 1000 {
            call::kill(call::own_pid(), libc::SIGUSR1);
            thread::yield_now();
        }
        done.store(true, Relaxed);
    });
    drop(load);
    recording.finish().expect("the end");
    alive();
}

/// To the program a stop looks like a clock that jumps. Snapshots that are late by then are not
/// caught up with.
fn stopped_and_continued(profiler: &'static dyn Profiler) {
    let plan = Plan { interval: Duration::from_millis(5), ..Plan::default() };
    let recording = profiler.start(&plan).expect("a recording starts");
    let target = call::own_pid();
    let child = call::fork(20, || {
        call::kill(target, libc::SIGSTOP);
        thread::sleep(Duration::from_secs(1));
        call::kill(target, libc::SIGCONT);
    });
    assert!(call::wait(child).success());
    let before = recording.snapshot().expect("a snapshot");
    churn();
    let after = recording.snapshot().expect("a snapshot");
    assert!(after - before < 20, "{} snapshots at once", after - before);
    note("snapshots_at_once", after - before);
    recording.finish().expect("the end");
    alive();
}

/// Works for a second and is then terminated, as the environment has set it up to record.
fn terminated_later(_profiler: &'static dyn Profiler) {
    let mut paths = Paths::new(3);
    for _ in 0..200 {
        drop(allocate_at(paths.next(), 12, 100));
        thread::sleep(Duration::from_millis(5));
    }
    println!("ending");
    terminates();
}
