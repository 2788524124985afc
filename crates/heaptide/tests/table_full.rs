//! More call sites than the table holds: every block is still counted, and it is said that some have
//! lost their site (docs/SAFETY.md, rule 6).

mod rig;

use std::alloc::System;
use std::hint::black_box;
use std::process::ExitCode;

use heaptide::{Heaptide, Recorder};
use heaptide_format::SiteId;
use rig::recording::{Recording, less, sum};
use rig::scratch;
use rig::stacks::branch;
use rig::tally::{self, Tally};

#[global_allocator]
static HEAP: Tally<Heaptide<System>> = Tally(Heaptide::with(System));

fn main() -> ExitCode {
    rig::main(&[("a_full_table_is_said", a_full_table_is_said)], &[])
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

fn a_full_table_is_said() {
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
    assert!(last.dropped.sites > 0, "the table took {STACKS} sites");
    let rows = recording.rows(to);
    let homeless = rows.get(&SiteId(0)).expect("a row of the blocks without a site");
    assert_eq!(homeless.allocs, last.dropped.sites);
    assert_eq!(sum(&rows.into_values().collect::<Vec<_>>()).allocs, last.heap.allocs);
}
