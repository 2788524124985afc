//! Everything at once: blocks of all kinds made, grown and passed between threads while snapshots are
//! taken and recordings begin and end. The counts must come out, and the sanitizers must be silent.

mod rig;

use std::alloc::System;
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

use heaptide::{Heaptide, Recorder};
use rig::dice::Dice;
use rig::recording::{Recording, less};
use rig::scratch;
use rig::tally::{self, Tally};

#[global_allocator]
static HEAP: Tally<Heaptide<System>> = Tally(Heaptide::with(System));

fn main() -> ExitCode {
    rig::main_at_budgets_too(
        &[
            ("counts_come_out_under_snapshots", counts_come_out_under_snapshots),
            ("recordings_begin_and_end_under_load", recordings_begin_and_end_under_load),
        ],
        &[],
    )
}

const THREADS: u64 = 4;
const STEPS: u64 = 20_000;

/// Makes, grows, shrinks, frees and passes on blocks.
fn churn(seed: u64, shelf: &Mutex<Vec<Vec<u8>>>) {
    let dice = Dice::new(seed);
    let mut mine: Vec<Vec<u8>> = Vec::new();
    for _ in 0..STEPS {
        let size = 1 + dice.roll(700) as usize;
        match dice.roll(6) {
            0 => mine.push(black_box(vec![1u8; size])),
            1 => mine.push(black_box(vec![0u8; size * 3])),
            2 => {
                mine.pop();
            }
            3 => {
                if let Some(block) = mine.last_mut() {
                    block.reserve_exact(size);
                    block.shrink_to(size / 2);
                }
            }
            4 => shelf.lock().expect("no thread panics").extend(mine.pop()),
            _ => {
                let from_elsewhere = shelf.lock().expect("no thread panics").pop();
                drop(black_box(from_elsewhere));
            }
        }
    }
    let mut shelf = shelf.lock().expect("no thread panics");
    shelf.append(&mut mine);
}

fn counts_come_out_under_snapshots() {
    let path = scratch("churn");
    let recorder = Recorder::builder().output(&path).start().expect("a recording starts");
    tally::leave_out_recorder();
    let shelf = Mutex::new(Vec::new());
    let from = tally::snapshot(&recorder);
    let before = tally::so_far();
    let running = AtomicUsize::new(THREADS as usize);
    thread::scope(|scope| {
        let start = |seed| {
            let (shelf, running) = (&shelf, &running);
            scope.spawn(move || {
                churn(seed, shelf);
                running.fetch_sub(1, Relaxed);
            })
        };
        let threads: Vec<_> = (0..THREADS).map(start).collect();
        while running.load(Relaxed) > 0 {
            tally::snapshot(&recorder);
        }
        // Joined one by one: the end of a scope does not wait for what a thread frees last.
        threads.into_iter().for_each(|thread| thread.join().expect("it ends well"));
    });
    let counted = less(tally::so_far(), before);
    let to = tally::snapshot(&recorder);
    recorder.finish().expect("the end");
    let recording = Recording::read(&path);
    assert_eq!(recording.between(from, to), counted);
    for snapshot in &recording.snapshots {
        let heap = snapshot.heap;
        assert_eq!(heap.live_objects, heap.allocs - heap.frees, "snapshot {}", snapshot.seq);
        assert_eq!(heap.live_bytes, heap.alloc_bytes - heap.freed_bytes, "{}", snapshot.seq);
    }
    for row in recording.rows(to).values() {
        let born: u64 = row.cohorts.iter().map(|cohort| cohort.1).sum();
        let bytes: u64 = row.cohorts.iter().map(|cohort| cohort.2).sum();
        assert_eq!((born, bytes), (row.live_objects, row.live_bytes), "{row:?}");
    }
}

fn recordings_begin_and_end_under_load() {
    let shelf = Mutex::new(Vec::new());
    let running = AtomicUsize::new(THREADS as usize);
    thread::scope(|scope| {
        for seed in 0..THREADS {
            let (shelf, running) = (&shelf, &running);
            scope.spawn(move || {
                churn(seed, shelf);
                running.fetch_sub(1, Relaxed);
            });
        }
        while running.load(Relaxed) > 0 {
            let path = scratch("begin_and_end");
            let recorder = Recorder::builder().output(&path).start().expect("a recording starts");
            recorder.snapshot().expect("a snapshot");
            recorder.finish().expect("the end");
            let dropped = Recording::read(&path).last().dropped;
            assert_eq!(dropped, heaptide_format::Dropped::default());
        }
    });
}
