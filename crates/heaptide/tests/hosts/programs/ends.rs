//! The ways in which a process can end, with snapshots that it was told are in the file.

use std::hint::black_box;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::load::churn;
use crate::{Plan, Profiler, Program, alive, call};

pub(crate) const PROGRAMS: &[(&str, Program)] = &[
    ("returns", |profiler| records_then(profiler, alive)),
    ("exits", |profiler| records_then(profiler, || std::process::exit(3))),
    ("exits-in-thread", |profiler| records_then(profiler, exits_in_thread)),
    ("exits-at-once", |profiler| records_then(profiler, || call::exit_at_once(4))),
    ("aborts", |profiler| records_then(profiler, || std::process::abort())),
    ("is-killed", |profiler| records_then(profiler, || call::kill(call::own_pid(), libc::SIGKILL))),
    ("panics", |profiler| records_then(profiler, || panic!("as expected"))),
    ("becomes-another", |profiler| records_then(profiler, becomes_another)),
];

/// Takes three snapshots, keeps the recording running, and ends as it is told.
fn records_then(profiler: &'static dyn Profiler, end: impl FnOnce()) {
    let recording = profiler.start(&Plan::default()).expect("a recording starts");
    std::mem::forget(black_box(vec![1u8; 4321]));
    for _ in 0..3 {
        churn();
        recording.snapshot().expect("a snapshot");
    }
    std::mem::forget(recording);
    end();
}

fn exits_in_thread() {
    let exiting = std::thread::spawn(|| std::process::exit(0));
    exiting.join().expect("the process is gone before");
}

/// The program that takes its place finds no descriptor of ours open: its standard three, and the
/// one that `ls` has for the folder.
fn becomes_another() {
    let err = Command::new("sh").args(["-c", "ls /proc/self/fd | wc -l"]).exec();
    panic!("{err}");
}
