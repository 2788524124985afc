//! Programs whose recording goes somewhere difficult. Most only work for a while: what is difficult
//! stands in `hosts.toml`.

use std::hint::black_box;
use std::thread;
use std::time::Duration;

use crate::load::{Paths, allocate_at, churn};
use crate::recording::folder;
use crate::{Plan, Profiler, Program, alive, note};

pub(crate) const PROGRAMS: &[(&str, Program)] = &[
    ("works", works),
    ("works-and-snapshots", works_and_snapshots),
    ("keeps-blocks", keeps_blocks),
    ("relative-path", relative_path),
    ("output-deleted", output_deleted),
    ("capped", capped),
    ("capped-large-snapshots", capped_large_snapshots),
];

/// A second of work under whatever the environment asks for.
fn works(_profiler: &'static dyn Profiler) {
    let mut paths = Paths::new(5);
    for _ in 0..100 {
        churn();
        drop(allocate_at(paths.next(), 10, 70_000));
        thread::sleep(Duration::from_millis(10));
    }
    alive();
}

/// The same, and asks for snapshots; that they are refused is right where nothing can be written.
fn works_and_snapshots(profiler: &'static dyn Profiler) {
    let recording = profiler.start(&Plan::default());
    let mut paths = Paths::new(5);
    for _ in 0..50 {
        drop(allocate_at(paths.next(), 10, 70_000));
        if let Ok(recording) = &recording {
            let _ = recording.snapshot();
        }
    }
    alive();
}

/// Keeps a block per round at a site of its own, for the matrix to look at modules and stacks.
fn keeps_blocks(_profiler: &'static dyn Profiler) {
    for _ in 0..50 {
        std::mem::forget(black_box(vec![1u8; 70_000]));
    }
    alive();
}

/// A relative path means what it meant at the start, for later segments too.
fn relative_path(profiler: &'static dyn Profiler) {
    let elsewhere = folder().join("elsewhere");
    std::fs::create_dir_all(&elsewhere).expect("a folder");
    let plan = Plan { output: "rec.jsonl".into(), segment_bytes: 16 << 10, ..Plan::default() };
    let recording = profiler.start(&plan).expect("a recording starts");
    std::env::set_current_dir(&elsewhere).expect("the folder");
    let mut paths = Paths::new(7);
    for _ in 0..40 {
        for _ in 0..50 {
            std::mem::forget(allocate_at(paths.next(), 8, 500));
        }
        recording.snapshot().expect("a snapshot");
    }
    recording.finish().expect("the end");
    alive();
}

/// A snapshot of which the recorder says that it is in the file can be found there; in a file that
/// nobody can open it is not.
fn output_deleted(profiler: &'static dyn Profiler) {
    let recording = profiler.start(&Plan::default()).expect("a recording starts");
    recording.snapshot().expect("a snapshot");
    let path = folder().join("rec.jsonl");
    let was_there = std::fs::remove_file(&path).is_ok();
    // That the first snapshot is in no file is the program's own doing.
    let _ = std::fs::remove_file(folder().join("acknowledged"));
    churn();
    let said = recording.snapshot();
    let found = std::fs::metadata(&path).is_ok_and(|file| file.len() > 0);
    let _ = recording.finish();
    assert!(!was_there || found || said.is_err(), "the snapshot is said to be in a file: {said:?}");
    alive();
}

/// Far more snapshots than fit under the cap.
fn capped(profiler: &'static dyn Profiler) {
    take_many(profiler, 64 << 10, 256 << 10, 300, 5);
}

/// Each snapshot is larger than a segment may be.
fn capped_large_snapshots(profiler: &'static dyn Profiler) {
    take_many(profiler, 8 << 10, 2 << 20, 100, 100);
}

fn take_many(
    profiler: &'static dyn Profiler,
    segment_bytes: u64,
    total_bytes: u64,
    n_snapshots: u64,
    n_sites: u64,
) {
    let plan = Plan { segment_bytes, total_bytes, ..Plan::default() };
    let recording = profiler.start(&plan).expect("a recording starts");
    for _ in 0..n_snapshots {
        for turns in 0..n_sites {
            std::mem::forget(allocate_at(turns, 10, 5_000));
        }
        recording.snapshot().expect("a snapshot");
    }
    recording.finish().expect("the end");
    note("snapshots_taken", n_snapshots + 1);
    alive();
}
