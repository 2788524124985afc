//! More call stacks than the table of sites holds: every block is still counted, at a site of fewer
//! frames, and that is said (docs/SAFETY.md, rule 6).

mod rig;

use std::alloc::System;
use std::hint::black_box;
use std::process::ExitCode;

use heaptide::{Heaptide, Recorder};
use rig::recording::{Recording, less, sum};
use rig::scratch;
use rig::stacks::branch;
use rig::tally::{self, Tally};

#[global_allocator]
static HEAP: Tally<Heaptide<System>> = Tally(Heaptide::with(System));

fn main() -> ExitCode {
    rig::main(&[("a_filling_table_is_said", a_filling_table_is_said)], &[])
}

/// Levels of eight-way calls: as many stacks as the shim has room for sites, and a few more for
/// those that it has already.
const DEPTH: u32 = 6;
const STACKS: u64 = (8 << (3 * (DEPTH - 1))) + 8;

/// As many as would fill megabytes.
#[inline(never)]
fn more_stacks() {
    branch(DEPTH - 1);
    black_box(());
}

fn a_filling_table_is_said() {
    let path = scratch("table_full");
    let recorder = Recorder::builder()
        .output(&path)
        // All in one file: a segment is at most half of all.
        .segment_bytes(1 << 30)
        .total_bytes(4 << 30)
        .start()
        .expect("a recording starts");
    tally::leave_out_recorder();
    let from = tally::snapshot(&recorder);
    let before = tally::so_far();
    branch(DEPTH);
    (0..3).for_each(|_| branch(1));
    let counted = less(tally::so_far(), before);
    let to = tally::snapshot(&recorder);
    // Stacks that nobody has seen, and that find no room: they cost nothing.
    more_stacks();
    let later = tally::snapshot(&recorder);
    recorder.finish().expect("the end");

    let recording = Recording::read(&path);
    let last = recording.at(to);
    let grown = recording.at(later).own_bytes.saturating_sub(last.own_bytes);
    assert!(grown < 1 << 20, "{grown} bytes for stacks without a site");
    assert!(counted.allocs >= STACKS, "{counted:?}");
    assert_eq!(recording.between(from, to), counted);
    assert_eq!(last.dropped.sites, 0, "the table was full");
    assert_eq!(recording.at(from).frames_kept, None);
    assert!(last.frames_kept.is_some_and(|kept| kept <= 16), "{:?}", last.frames_kept);
    assert!(last.dropped.frames > 0, "no stack was cut");
    let rows: Vec<_> = recording.rows(to).into_values().collect();
    assert!(rows.len() < STACKS as usize, "{} sites", rows.len());
    assert_eq!(sum(&rows).allocs, last.heap.allocs);
}
