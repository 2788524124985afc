//! Our own memory does not multiply threads by sites: beyond its budget it grows with the sites and with
//! the threads (docs/SAFETY.md, rule 15). All figures are the recordings' own.

mod rig;

use std::hint::black_box;
use std::process::ExitCode;
use std::thread;

use heaptide::{Heaptide, Recorder};
use heaptide_format::Snapshot;
use rig::recording::Recording;
use rig::scratch;
use rig::stacks::branch_to;

#[global_allocator]
static HEAP: Heaptide = Heaptide::new();

fn main() -> ExitCode {
    rig::main(
        &[
            ("threads_that_free_what_others_make", threads_that_free_what_others_make),
            ("threads_that_make_blocks_everywhere", threads_that_make_blocks_everywhere),
            ("many_epochs", many_epochs),
        ],
        &[],
    )
}

const BUDGET_BYTES: u64 = 1 << 20;
/// Levels of eight-way calls: 4,096 sites.
const DEPTH: u32 = 4;
const SITES: u64 = 8 << (3 * (DEPTH - 1));
const THREADS: usize = 16;

/// What a recording says of our memory before and after `work`, and after it was done a second time.
fn around(name: &str, work: impl Fn(&Recorder)) -> [Snapshot; 3] {
    let path = scratch(name);
    let builder = Recorder::builder().output(&path).memory(BUDGET_BYTES);
    let recorder = builder.start().expect("a recording starts");
    let first = recorder.snapshot().expect("a snapshot");
    // From one place, so that the second time has the stacks of the first.
    let [once, twice] = std::array::from_fn(|_| {
        work(&recorder);
        recorder.snapshot().expect("a snapshot")
    });
    recorder.finish().expect("the end");
    let recording = Recording::read(&path);
    [first, once, twice].map(|seq| {
        let snapshot = recording.at(seq).clone();
        assert_eq!(snapshot.dropped.blocks, 0);
        assert!(snapshot.budget.expect("it is said").taken_bytes <= BUDGET_BYTES);
        snapshot
    })
}

fn grown(before: &Snapshot, after: &Snapshot) -> u64 {
    after.own_bytes.saturating_sub(before.own_bytes)
}

/// Runs `work` in threads that are all there at once, so that none takes over what another had.
fn at_once<T: Send>(shares: Vec<T>, work: impl Fn(T) + Sync) {
    let together = std::sync::Barrier::new(shares.len());
    thread::scope(|scope| {
        for share in shares {
            scope.spawn(|| {
                together.wait();
                work(share);
                together.wait();
            });
        }
    });
}

/// A slot for each thread and site, as small as can be, would be nine megabytes.
fn threads_that_free_what_others_make() {
    let work = |_: &Recorder| {
        let mut shares: Vec<Vec<Box<u64>>> = (0..THREADS).map(|_| Vec::new()).collect();
        branch_to(DEPTH, &mut || shares.iter_mut().for_each(|share| share.push(Box::new(1))));
        at_once(shares, |share| drop(black_box(share)));
    };
    let [before, once, twice] = around("own_memory", work);
    assert!(once.heap.frees - before.heap.frees >= SITES * THREADS as u64);
    // Sites: their stacks, their shared slots, the stacks that the one thread remembers, and half as much
    // again for what is cut off in vain.
    let allowed = BUDGET_BYTES + SITES * 600 + THREADS as u64 * (256 << 10);
    assert!(grown(&before, &once) < allowed, "{} of {allowed}", grown(&before, &once));
    assert!(grown(&once, &twice) < 1 << 20, "{}", grown(&once, &twice));
    assert!(once.budget.expect("it is said").refused > 0);
}

/// The same where threads make blocks: but for the stacks that they remember.
fn threads_that_make_blocks_everywhere() {
    let work = |_: &Recorder| {
        at_once(vec![(); THREADS], |()| branch_to(DEPTH, &mut || drop(black_box(Box::new(1u64)))));
    };
    let [before, once, twice] = around("own_memory_made", work);
    assert!(once.heap.allocs - before.heap.allocs >= SITES * THREADS as u64);
    assert!(once.budget.expect("it is said").refused > 0);
    // What a block counts twice where it is known takes no memory.
    assert!(grown(&once, &twice) < 1 << 20, "{}", grown(&once, &twice));
}

/// Counters of birth epochs are not multiplied by threads either.
fn many_epochs() {
    const EPOCHS: u64 = 40;
    let work = |recorder: &Recorder| {
        for _ in 0..EPOCHS {
            let mut shares: Vec<Vec<Box<u64>>> = (0..THREADS).map(|_| Vec::new()).collect();
            branch_to(2, &mut || shares.iter_mut().for_each(|share| share.push(Box::new(1))));
            at_once(shares, |share| drop(black_box(share)));
            recorder.snapshot().expect("a snapshot");
        }
    };
    let [_, once, twice] = around("own_memory_epochs", work);
    // Of 64 sites, on each of them 48 bytes for each bucket, and an index.
    let allowed = BUDGET_BYTES + 64 * (EPOCHS * 48 + 512);
    assert!(grown(&once, &twice) < allowed, "{} of {allowed}", grown(&once, &twice));
}
