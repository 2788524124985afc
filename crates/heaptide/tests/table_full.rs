//! More call stacks than the table of sites holds: every block is still counted, at a site of fewer
//! frames or with those that have none of their own, and that is said (docs/SAFETY.md, rule 6).

#![expect(unsafe_code, reason = "blocks by the allocator itself, with no frames in between")]

mod rig;

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::path::Path;
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
    rig::main(
        &[
            ("a_filling_table_is_said", a_filling_table_is_said),
            ("a_full_table_is_said", a_full_table_is_said),
        ],
        &[],
    )
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

fn record(path: &Path) -> Recorder {
    let recorder = Recorder::builder()
        .output(path)
        // All in one file: a segment is at most half of all.
        .segment_bytes(1 << 30)
        .total_bytes(4 << 30)
        .start()
        .expect("a recording starts");
    tally::leave_out_recorder();
    recorder
}

fn a_filling_table_is_said() {
    let path = scratch("table_filling");
    let recorder = record(&path);
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

/// So many times as many as there are in [`places`] are more sites than the table holds.
const TAGS: u64 = 530;
const PLACES: u64 = 8 * 8 * 8;

macro_rules! eight_times {
    ($call:expr) => {{
        $call;
        $call;
        $call;
        $call;
        $call;
        $call;
        $call;
        $call;
        black_box(());
    }};
}

/// Makes blocks at 512 stacks that differ in their two innermost calls: each has a site of its own however
/// few frames are kept.
#[inline(never)]
fn places(bytes: usize) {
    eight_times!(innermost_places(bytes));
}

#[inline(never)]
fn innermost_places(bytes: usize) {
    eight_times!(eight_times!(make_block(bytes)));
}

/// Makes a block and frees it, from the caller itself.
#[inline(always)]
fn make_block(bytes: usize) {
    let layout = Layout::from_size_align(bytes, 8).expect("a layout");
    // SAFETY: the size is not zero.
    let block = unsafe { HEAP.alloc(layout) };
    // SAFETY: made just now, with this layout.
    unsafe { HEAP.dealloc(black_box(block), layout) };
}

/// Tags tell sites apart as well: with enough of them the table is full though few frames are kept. What
/// comes then has no site of its own, and is counted to the block and the byte.
fn a_full_table_is_said() {
    let path = scratch("table_full");
    let recorder = record(&path);
    let from = tally::snapshot(&recorder);
    let before = tally::so_far();
    for tag in 0..TAGS {
        let _scope = heaptide::tag(&format!("tag {tag}"));
        places(8 + tag as usize);
    }
    let counted = less(tally::so_far(), before);
    let to = tally::snapshot(&recorder);
    recorder.finish().expect("the end");

    let recording = Recording::read(&path);
    let last = recording.at(to);
    assert!(counted.allocs >= TAGS * PLACES, "{counted:?}");
    assert_eq!(recording.between(from, to), counted);
    assert_eq!(last.dropped.blocks, 0);
    assert_eq!(last.frames_kept, Some(4));
    let rows = recording.rows(to);
    let homeless = rows.get(&SiteId(0)).expect("a row of the blocks without a site");
    assert!(homeless.allocs > 0, "the table took all sites");
    assert_eq!(last.dropped.sites, homeless.allocs);
    assert_eq!((homeless.live_objects, homeless.live_bytes), (0, 0));
    assert_eq!(sum(&rows.into_values().collect::<Vec<_>>()), last.heap);
}
