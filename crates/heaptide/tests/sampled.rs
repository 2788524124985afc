//! Sampled mode: blocks that go back to the inner allocator as they came, and what is counted of
//! those that are surely sampled (docs/SAFETY.md, "Sampled blocks").
//!
//! The rules of the hook in this mode are held by the tests of exact mode, which run in both.

#![expect(unsafe_code, reason = "raw blocks, and an allocator that refuses on request")]
#![expect(
    clippy::multiple_unsafe_ops_per_block,
    reason = "raw blocks, made and given back under one promise"
)]

mod rig;

use std::alloc::{GlobalAlloc, Layout, System, alloc, alloc_zeroed, realloc};
use std::cell::Cell;
use std::ffi::CStr;
use std::hint::black_box;
use std::path::PathBuf;
use std::process::ExitCode;
use std::ptr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU8, AtomicUsize};
use std::thread;

use heaptide::{Heaptide, Mode, Recorder};
use heaptide_format::HeapTotals;
use mimalloc::MiMalloc;
use rig::block::{Block, layout};
use rig::checking::Checking;
use rig::counting::{Counting, INNER, OUTER, calls};
use rig::dice::Dice;
use rig::recording::Recording;
use rig::zeroed::{GIANT, giant_stays_lazy};
use rig::{program, scratch};
use tikv_jemallocator::Jemalloc;

type Inner = Counting<INNER, Checking<Chosen>>;

#[global_allocator]
static HEAP: Counting<OUTER, Heaptide<Inner>> =
    Counting(Heaptide::with(Counting(Checking(Chosen))).sampled_unless_asked(PERIOD as u64));

/// The period where the environment says nothing: blocks of this size are surely sampled, and
/// blocks of a byte surely not (one in 16,384 is, and a test makes a few).
const PERIOD: usize = 16 << 10;

fn main() -> ExitCode {
    rig::main(
        &[
            ("layouts_over_system", || keeps_layouts("system")),
            ("layouts_over_jemalloc", || keeps_layouts("jemalloc")),
            ("layouts_over_mimalloc", || keeps_layouts("mimalloc")),
            ("code_may_choose_sampled", code_may_choose_sampled),
            ("a_resize_ends_one_block_and_begins_another", a_resize_ends_one_and_begins_another),
            ("a_failed_resize_changes_nothing", a_failed_resize_changes_nothing),
            ("a_failed_alloc_is_not_counted", a_failed_alloc_is_not_counted),
            ("large_blocks_are_the_inner_allocators_own", large_blocks_are_the_inner_allocators),
            ("a_zeroed_giant_stays_lazy", a_zeroed_giant_stays_lazy),
            ("only_a_recording_samples", only_a_recording_samples),
            ("an_earlier_recordings_blocks_go_well", an_earlier_recordings_blocks_go_well),
        ],
        &[("churns", churns)],
    )
}

/// Names the allocator of a program of this test.
const CHOICE: &CStr = c"RIG_ALLOCATOR";
static CHOSEN: AtomicU8 = AtomicU8::new(0);

thread_local! {
    static REFUSES: Cell<bool> = const { Cell::new(false) };
}

/// The allocator that the environment names; one for the process's life. Refuses on request.
#[derive(Debug)]
struct Chosen;

impl Chosen {
    fn get(&self) -> Option<&'static dyn GlobalAlloc> {
        if CHOSEN.load(Relaxed) == 0 {
            // SAFETY: the name is a C string; nobody changes the environment.
            let value = unsafe { libc::getenv(CHOICE.as_ptr()) };
            // SAFETY: what getenv(3) returns points at a C string, which has a first byte.
            let first = if value.is_null() { b's' } else { unsafe { *value as u8 } };
            CHOSEN.store(first, Relaxed);
        }
        let chosen: &'static dyn GlobalAlloc = match CHOSEN.load(Relaxed) {
            b'j' => &Jemalloc,
            b'm' => &MiMalloc,
            _ => &System,
        };
        (!REFUSES.get()).then_some(chosen)
    }
}

// SAFETY: every call goes to the one allocator that was chosen at the first, or is refused.
unsafe impl GlobalAlloc for Chosen {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise, passed on.
        self.get().map_or(ptr::null_mut(), |chosen| unsafe { chosen.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise, passed on.
        self.get().map_or(ptr::null_mut(), |chosen| unsafe { chosen.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise, passed on.
        self.get().map_or(ptr::null_mut(), |chosen| unsafe { chosen.realloc(block, layout, size) })
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        self.get().into_iter().for_each(|chosen| unsafe { chosen.dealloc(block, layout) });
    }
}

/// Does `work` while the inner allocator of this thread has no memory.
fn refusing<T>(work: impl FnOnce() -> T) -> T {
    REFUSES.set(true);
    let result = work();
    REFUSES.set(false);
    result
}

fn record(name: &str) -> (Recorder, PathBuf) {
    let path = scratch(name);
    let recorder = Recorder::builder().output(&path).start().expect("a recording starts");
    (recorder, path)
}

// --- layouts ---------------------------------------------------------------------------------

/// From a byte to a few large blocks.
fn any_size(dice: &Dice) -> usize {
    let up_to = [16, 300, 5000, 40_000, 200_000][dice.roll(5) as usize];
    1 + dice.roll(up_to) as usize
}

/// Steps of each of three threads.
const CHURN_STEPS: usize = 6000;
/// Recordings meanwhile.
const CHURN_ROUNDS: usize = 20;

/// Blocks of every size and alignment, made, resized and freed while recordings begin and end.
/// The inner allocator ends the process if one comes back with another layout.
fn churns() {
    static STEPS: AtomicUsize = AtomicUsize::new(0);
    /// As far as a thread may go.
    static ALLOWED: AtomicUsize = AtomicUsize::new(0);
    let churn = |seed| {
        let dice = Dice::new(seed);
        let mut live: Vec<Block> = Vec::new();
        for step in 0..CHURN_STEPS {
            while step >= ALLOWED.load(Relaxed) {
                thread::yield_now();
            }
            STEPS.fetch_add(1, Relaxed);
            let size = any_size(&dice);
            match dice.roll(5) {
                0 | 1 => {
                    let align = 1 << dice.roll(15);
                    live.push(Block::make(size, align, (step % 5) as u8));
                }
                2 | 3 if !live.is_empty() => {
                    let at = dice.roll(live.len() as u64) as usize;
                    let block = live.swap_remove(at);
                    // A zeroed block's tail is what it was.
                    let grown = if block.fill == 0 { block } else { block.resize(size) };
                    live.push(grown);
                }
                _ if !live.is_empty() => {
                    drop(live.swap_remove(dice.roll(live.len() as u64) as usize))
                }
                _ => {}
            }
        }
        live
    };
    let threads: Vec<_> = (1..4).map(|seed| thread::spawn(move || churn(seed))).collect();
    let mut sampled = 0;
    for round in 1..=CHURN_ROUNDS {
        let (recorder, path) = record("churns");
        // As much as there is for a round is churned while it is recorded, but for half as much that may go
        // on until the next recording begins: on a busy machine the threads were through before the first.
        ALLOWED.store((2 * round + 1) * CHURN_STEPS / (2 * CHURN_ROUNDS), Relaxed);
        while STEPS.load(Relaxed) < round * 3 * CHURN_STEPS / CHURN_ROUNDS {
            thread::yield_now();
        }
        recorder.finish().expect("the end");
        let last = Recording::read(&path);
        assert_eq!(last.last().dropped, heaptide_format::Dropped::default());
        sampled += last.last().heap.allocs;
    }
    assert!(sampled > 0, "nothing was sampled");
    // Freed by another thread than their maker.
    threads.into_iter().for_each(|thread| drop(thread.join().expect("it ends well")));
}

fn keeps_layouts(inner: &str) {
    let variable = CHOICE.to_str().expect("a plain name");
    for period in ["sampled:1", "sampled:1KiB", "sampled:16KiB", "sampled:1MiB"] {
        let mut command = program("churns");
        let output = command.env(variable, inner).env("HEAPTIDE_MODE", period).output();
        let output = output.expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{inner}, {period}: {}\n{said}", output.status);
    }
}

// --- one block -------------------------------------------------------------------------------

/// A size that is surely sampled, at a page's start.
const SAMPLED: usize = PERIOD + 100;
/// A size that is not.
const PLAIN: usize = 1;
/// A size that is surely sampled, wherever it lies.
const LARGE: usize = 100_000;

fn code_may_choose_sampled() {
    let (recorder, path) = record("code");
    drop(black_box(Block::make(SAMPLED, 8, 1)));
    recorder.finish().expect("the end");
    let recording = Recording::read(&path);
    assert_eq!(recording.header.mode, Mode::Sampled { period_bytes: PERIOD as u64 });
    let row = &recording.last().sites.iter().find(|row| row.alloc_bytes == SAMPLED as u64);
    assert!(row.is_some_and(|row| row.objects_error.is_some()), "{row:?}");
}

/// Every way from one kind of block to another: what is counted, and what the bytes are.
fn a_resize_ends_one_and_begins_another() {
    let kinds = [PLAIN, SAMPLED, SAMPLED + 1000, LARGE, 2 * LARGE];
    let counts = |bytes: usize| u64::from(bytes != PLAIN);
    for from in kinds {
        for to in kinds {
            // One byte in so many is sampled after all; not time after time.
            let is_plain = |resized: &[HeapTotals; 3]| {
                let [was, is, _] = resized;
                [(from, was), (to, is)]
                    .iter()
                    .all(|(bytes, row)| *bytes != PLAIN || row.allocs == 0)
            };
            let resized = (0..4).map(|_| resize(from, to)).find(is_plain);
            let [was, is, end] = resized.expect("a block of one byte is always sampled");
            let name = format!("{from} to {to}");
            assert_eq!((was.allocs, was.frees), (counts(from), counts(from)), "{name}");
            assert_eq!((was.reallocs, was.live_bytes), (0, 0), "{name}");
            assert_eq!((is.allocs, is.reallocs), (counts(to), counts(to)), "{name}");
            assert_eq!(is.live_bytes, counts(to) * to as u64, "{name}");
            assert_eq!((end.live_objects, end.live_bytes), (0, 0), "{name}");
        }
    }
}

/// What a block of `from` bytes counted once it has `to`, what it counts then, and once it is gone.
fn resize(from: usize, to: usize) -> [HeapTotals; 3] {
    let (recorder, path) = record("resize");
    let block = {
        let _scope = heaptide::tag("from");
        Block::make(from, 8, 7)
    };
    let block = {
        let _scope = heaptide::tag("to");
        block.resize(to)
    };
    let seq = recorder.snapshot().expect("a snapshot");
    drop(block);
    recorder.finish().expect("the end");
    let recording = Recording::read(&path);
    assert_eq!(recording.last().dropped, heaptide_format::Dropped::default());
    [recording.under(seq, "from"), recording.under(seq, "to"), recording.under(seq + 1, "to")]
}

fn a_failed_resize_changes_nothing() {
    let (recorder, path) = record("refused");
    let kinds = [PLAIN, SAMPLED, LARGE];
    for from in kinds {
        let block = {
            let _scope = heaptide::tag("from");
            Block::make(from, 8, 9)
        };
        for to in kinds {
            let _scope = heaptide::tag("to");
            // SAFETY: the block has this layout, and stays when it cannot be resized.
            let moved = refusing(|| unsafe { realloc(block.at, block.layout, to) });
            assert!(moved.is_null());
            block.check(from);
        }
        drop(block);
    }
    let seq = recorder.snapshot().expect("a snapshot");
    recorder.finish().expect("the end");
    let recording = Recording::read(&path);
    let (was, is) = (recording.under(seq, "from"), recording.under(seq, "to"));
    assert_eq!((was.allocs, was.frees, was.reallocs), (2, 2, 0));
    assert_eq!(was.freed_bytes, (SAMPLED + LARGE) as u64);
    assert_eq!((is.allocs, is.frees, is.reallocs), (0, 0, 0));
}

fn a_failed_alloc_is_not_counted() {
    let (recorder, path) = record("null");
    for bytes in [PLAIN, SAMPLED, LARGE] {
        let _scope = heaptide::tag("null");
        // SAFETY: sizes are not zero.
        refusing(|| unsafe {
            assert!(alloc(layout(bytes, 8)).is_null());
            assert!(alloc_zeroed(layout(bytes, 8)).is_null());
        });
    }
    let seq = recorder.snapshot().expect("a snapshot");
    recorder.finish().expect("the end");
    assert_eq!(Recording::read(&path).under(seq, "null"), HeapTotals::default());
}

/// One call in is one call out, with the layout that the program gave: so a `realloc` in place
/// stays in place, and pages can be moved without copying them.
fn large_blocks_are_the_inner_allocators() {
    let (recorder, path) = record("large");
    let scope = heaptide::tag("large");
    let before = (calls(OUTER), calls(INNER));
    let mut block = Block::make(LARGE, 8, 5);
    for n in 2..10 {
        block = block.resize(n * LARGE);
    }
    drop(Block::make(LARGE, 8, 0));
    let (outer, inner) = (calls(OUTER), calls(INNER));
    assert_eq!(outer.realloc - before.0.realloc, 8);
    assert_eq!(inner.realloc - before.1.realloc, 8);
    assert_eq!(outer.alloc - before.0.alloc, inner.alloc - before.1.alloc);
    assert_eq!(
        outer.alloc_zeroed - before.0.alloc_zeroed,
        inner.alloc_zeroed - before.1.alloc_zeroed
    );
    assert_eq!(outer.dealloc - before.0.dealloc, inner.dealloc - before.1.dealloc);
    drop(scope);
    let seq = recorder.snapshot().expect("a snapshot");
    drop(block);
    recorder.finish().expect("the end");
    let live = Recording::read(&path).under(seq, "large");
    assert_eq!((live.live_objects, live.live_bytes), (1, 9 * LARGE as u64));
}

fn a_zeroed_giant_stays_lazy() {
    let (recorder, path) = record("lazy");
    let seq = giant_stays_lazy(&recorder);
    recorder.finish().expect("the end");
    let live = Recording::read(&path).under(seq, "giant");
    assert_eq!((live.live_objects, live.live_bytes), (1, GIANT as u64));
}

fn only_a_recording_samples() {
    let before = black_box(Block::make(SAMPLED, 8, 1));
    assert!(!before.at.addr().is_multiple_of(4096), "not even placed as sampled blocks are");
    let (recorder, path) = record("only");
    drop(before);
    let seq = recorder.snapshot().expect("a snapshot");
    recorder.finish().expect("the end");
    let freed = Recording::read(&path).at(seq).heap.freed_bytes;
    assert!(freed < SAMPLED as u64, "{freed} bytes freed that nobody saw made");
    let after = black_box(Block::make(SAMPLED, 8, 1));
    assert!(!after.at.addr().is_multiple_of(4096), "not even placed as sampled blocks are");
}

fn an_earlier_recordings_blocks_go_well() {
    let (recorder, _) = record("first");
    let [freed, kept, grown] = [1, 2, 3].map(|fill| Block::make(SAMPLED, 8, fill));
    assert!(freed.at.addr().is_multiple_of(4096));
    recorder.finish().expect("the end");
    drop(freed);
    let grown = grown.resize(SAMPLED + 1);
    let (recorder, path) = record("second");
    drop(kept);
    drop(grown);
    let seq = recorder.snapshot().expect("a snapshot");
    recorder.finish().expect("the end");
    let freed = Recording::read(&path).at(seq).heap.freed_bytes;
    assert!(freed < SAMPLED as u64, "{freed} bytes freed that this recording never saw");
}
