//! The rules of the hook that concern one call: what reaches the inner allocator, what comes back,
//! and what is counted (docs/SAFETY.md, rules 1 to 4, 6 and 7).

#![expect(unsafe_code, reason = "an allocator that misbehaves on request, and raw blocks")]
#![expect(
    clippy::multiple_unsafe_ops_per_block,
    reason = "raw blocks, made and given back under one promise"
)]

mod rig;

use std::alloc::{GlobalAlloc, Layout, System, alloc, alloc_zeroed, dealloc, realloc};
use std::cell::Cell;
use std::hint::{black_box, spin_loop};
use std::process::ExitCode;
use std::ptr;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize};
use std::thread;
use std::time::Duration;

use heaptide::{Heaptide, Recorder};
use rig::counting::{Calls, Counting, INNER, OUTER, calls};
use rig::recording::Recording;
use rig::scratch;
use rig::zeroed::{GIANT, giant_stays_lazy};

#[global_allocator]
static HEAP: Counting<OUTER, Heaptide<Counting<INNER, Scripted>>> =
    Counting(Heaptide::with(Counting(Scripted)));

fn main() -> ExitCode {
    rig::main(
        &[
            ("one_call_in_is_one_call_out", one_call_in_is_one_call_out),
            ("a_block_is_counted_once_at_its_size", a_block_is_counted_once_at_its_size),
            ("a_realloc_keeps_site_and_birth", a_realloc_keeps_site_and_birth),
            ("a_realloc_leaves_no_window", a_realloc_leaves_no_window),
            ("a_realloc_in_place_stays_in_place", a_realloc_in_place_stays_in_place),
            ("a_null_stays_a_null", a_null_stays_a_null),
            ("a_zeroed_giant_stays_lazy", a_zeroed_giant_stays_lazy),
            ("alignment_is_the_callers", alignment_is_the_callers),
            (
                "a_stuck_inner_allocator_stops_nobody_else",
                a_stuck_inner_allocator_stops_nobody_else,
            ),
            ("a_count_that_was_held_up_is_seen_in_turn", || a_count_that_was_held_up_is_seen(64)),
            ("a_count_that_was_held_up_is_seen_at_the_end", || a_count_that_was_held_up_is_seen(0)),
            ("an_inner_allocator_may_allocate", an_inner_allocator_may_allocate),
            ("an_overrun_is_counted_and_survived", an_overrun_is_counted_and_survived),
            ("blocks_from_before_are_not_counted", blocks_from_before_are_not_counted),
            (
                "a_block_from_before_is_born_when_it_is_resized",
                a_block_from_before_is_born_when_it_is_resized,
            ),
            ("a_recorder_without_memory_waits", a_recorder_without_memory_waits),
        ],
        &[],
    )
}

/// What the inner allocator does in this thread.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Script {
    Plain,
    /// Every request fails.
    Refuse,
    /// `realloc` moves, frees the old address, and returns only when [`Script::Borrow`] has it.
    Lend,
    /// `alloc` returns the address that was lent.
    Borrow,
    /// `alloc` has room to spare, and `realloc` grows into it.
    Roomy,
    /// `alloc` waits until [`RELEASED`].
    Stuck,
    /// `alloc` allocates and frees a block of its own, through the global allocator.
    Reenter,
}

thread_local! {
    static SCRIPT: Cell<Script> = const { Cell::new(Script::Plain) };
}

static LENT: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());
static BORROWED: AtomicBool = AtomicBool::new(false);
static STUCK: AtomicBool = AtomicBool::new(false);
static RELEASED: AtomicBool = AtomicBool::new(false);
static LAST_MOVE: AtomicUsize = AtomicUsize::new(0);
/// Every thread is under [`Script::Refuse`], and how many requests were refused so.
static ALL_REFUSED: AtomicBool = AtomicBool::new(false);
static N_REFUSED: AtomicUsize = AtomicUsize::new(0);
const ROOM_BYTES: usize = 1 << 16;

fn wait_for(flag: &AtomicBool) {
    while !flag.load(SeqCst) {
        thread::yield_now();
    }
}

/// Does `work` while this thread's inner allocator follows `script`.
fn under<T>(script: Script, work: impl FnOnce() -> T) -> T {
    SCRIPT.set(script);
    let result = work();
    SCRIPT.set(Script::Plain);
    result
}

fn script() -> Script {
    if ALL_REFUSED.load(SeqCst) {
        N_REFUSED.fetch_add(1, SeqCst);
        return Script::Refuse;
    }
    SCRIPT.get()
}

struct Scripted;

// SAFETY: every block handed out is System's, or one that System handed out and nobody holds.
unsafe impl GlobalAlloc for Scripted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match script() {
            Script::Refuse => return ptr::null_mut(),
            Script::Borrow => {
                while LENT.load(SeqCst).is_null() {
                    spin_loop();
                }
                return LENT.swap(ptr::null_mut(), SeqCst);
            }
            Script::Roomy => {
                let roomy = Layout::from_size_align(ROOM_BYTES, layout.align());
                // SAFETY: the size is not zero; System frees by address alone.
                return roomy.map_or(ptr::null_mut(), |roomy| unsafe { System.alloc(roomy) });
            }
            Script::Stuck => {
                STUCK.store(true, SeqCst);
                wait_for(&RELEASED);
            }
            Script::Reenter => under(Script::Plain, || drop(black_box(Box::new([7u8; 77])))),
            Script::Plain | Script::Lend => {}
        }
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if script() == Script::Refuse {
            return ptr::null_mut();
        }
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let moved = match script() {
            Script::Refuse => ptr::null_mut(),
            Script::Roomy if new_size <= ROOM_BYTES => block,
            Script::Lend => lend(block, layout, new_size),
            // SAFETY: the caller's promise, passed on.
            _ => unsafe { System.realloc(block, layout, new_size) },
        };
        LAST_MOVE.store(moved.addr(), SeqCst);
        moved
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(block, layout) }
    }
}

/// A `realloc` that takes its time between giving the old address away and returning.
fn lend(block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
    let larger = Layout::from_size_align(new_size, layout.align()).expect("a good layout");
    // SAFETY: the size is not zero.
    let moved = unsafe { System.alloc(larger) };
    // SAFETY: both are blocks of at least the old size, and different ones.
    unsafe { ptr::copy_nonoverlapping(block, moved, layout.size()) };
    LENT.store(block, SeqCst);
    wait_for(&BORROWED);
    moved
}

fn record(name: &str) -> (Recorder, std::path::PathBuf) {
    let path = scratch(name);
    let recorder = Recorder::builder().output(&path).start().expect("a recording starts");
    (recorder, path)
}

fn layout(bytes: usize, align: usize) -> Layout {
    Layout::from_size_align(bytes, align).expect("a good layout")
}

/// All four entry points, through the collections that use them.
fn exercise() {
    for size in [1, 7, 8, 24, 100, 1000, 5000, 100_000] {
        let mut grown = Vec::with_capacity(size);
        grown.resize(size * 3, 1u8);
        grown.truncate(size / 2);
        grown.shrink_to_fit();
        black_box((vec![0u8; size], Box::new([0u64; 32]), grown));
    }
}

fn one_call_in_is_one_call_out() {
    fn check() {
        let before = (calls(OUTER), calls(INNER));
        exercise();
        assert_ne!(before.0, calls(OUTER), "nothing was allocated");
        assert_eq!(calls(OUTER), calls(INNER));
    }
    check();
    let (recorder, _) = record("one_in_one_out");
    check();
    let _scope = heaptide::tag("checkout");
    heaptide::work("requests", 1);
    check();
    thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(|| (0..50).for_each(|_| check())))));
    recorder.snapshot().expect("a snapshot");
    check();
    recorder.finish().expect("the end");
    check();
}

fn a_block_is_counted_once_at_its_size() {
    let (recorder, path) = record("counted_once");
    let scope = heaptide::tag("once");
    // SAFETY: sizes are not zero, and each block is given back with the layout it has.
    unsafe {
        let plain = alloc(layout(100, 1));
        let zeroed = alloc_zeroed(layout(200, 8));
        let aligned = alloc(layout(300, 4096));
        let grown = realloc(plain, layout(100, 1), 1000);
        dealloc(zeroed, layout(200, 8));
        black_box((aligned, grown));
    }
    drop(scope);
    let seq = recorder.snapshot().expect("a snapshot");
    recorder.finish().expect("the end");
    let total = Recording::read(&path).under(seq, "once");
    assert_eq!((total.allocs, total.frees, total.reallocs), (3, 1, 1));
    assert_eq!((total.alloc_bytes, total.freed_bytes), (1600, 300));
    assert_eq!((total.live_objects, total.live_bytes), (2, 1300));
}

fn a_realloc_keeps_site_and_birth() {
    let (recorder, path) = record("keeps_birth");
    let scope = heaptide::tag("grows");
    // SAFETY: the size is not zero.
    let block = unsafe { alloc(layout(100, 8)) };
    drop(scope);
    recorder.snapshot().expect("a snapshot");
    // SAFETY: the block has this layout.
    let block = unsafe { realloc(block, layout(100, 8), 5000) };
    let seq = recorder.snapshot().expect("a snapshot");
    recorder.finish().expect("the end");
    black_box(block);
    let [row] = &Recording::read(&path).tagged(seq, "grows")[..] else { panic!("one site") };
    let [cohort] = row.cohorts[..] else { panic!("one cohort, not {:?}", row.cohorts) };
    assert_eq!((cohort.0.0, cohort.1, cohort.2), (0, 1, 5000));
    assert_eq!((row.reallocs, row.largest_bytes), (1, 5000));
}

fn a_realloc_leaves_no_window() {
    let (recorder, path) = record("no_window");
    // SAFETY: the size is not zero.
    let block = unsafe { alloc(layout(1000, 8)) }.expose_provenance();
    let borrower = thread::spawn(|| {
        let _scope = heaptide::tag("borrowed");
        // SAFETY: the size is not zero.
        let borrowed = under(Script::Borrow, || unsafe { alloc(layout(1000, 8)) });
        BORROWED.store(true, SeqCst);
        borrowed.expose_provenance()
    });
    let old = ptr::with_exposed_provenance_mut(block);
    // SAFETY: the block has this layout.
    let moved = under(Script::Lend, || unsafe { realloc(old, layout(1000, 8), 2000) });
    let borrowed = borrower.join().expect("the borrower returns");
    assert_eq!(borrowed, block, "the old address was to be used again");
    let seq = recorder.snapshot().expect("a snapshot");
    let live = Recording::read_so_far(&path).expect("a recording").under(seq, "borrowed");
    assert_eq!((live.live_objects, live.live_bytes), (1, 1000));
    // SAFETY: each block is given back once, with the layout it has.
    unsafe {
        dealloc(ptr::with_exposed_provenance_mut(borrowed), layout(1000, 8));
        dealloc(moved, layout(2000, 8));
    }
    let seq = recorder.snapshot().expect("a snapshot");
    recorder.finish().expect("the end");
    let recording = Recording::read(&path);
    assert_eq!(recording.under(seq, "borrowed").live_objects, 0);
    assert_eq!(recording.last().dropped.overruns, 0);
}

fn a_realloc_in_place_stays_in_place() {
    let (recorder, _) = record("in_place");
    under(Script::Roomy, || {
        // SAFETY: the size is not zero.
        let block = unsafe { alloc(layout(100, 8)) };
        let before = calls(INNER);
        // SAFETY: the block has this layout.
        let grown = unsafe { realloc(block, layout(100, 8), 20_000) };
        assert_eq!(grown, block);
        assert_eq!(grown.addr(), LAST_MOVE.load(SeqCst), "the pointer is the inner allocator's");
        assert_eq!(calls(INNER), Calls { realloc: before.realloc + 1, ..before });
        // SAFETY: the block has this layout.
        unsafe { dealloc(grown, layout(20_000, 8)) };
    });
    recorder.finish().expect("the end");
}

fn a_null_stays_a_null() {
    let (recorder, path) = record("null");
    let scope = heaptide::tag("null");
    // SAFETY: sizes are not zero, and a failed realloc leaves the block as it was.
    unsafe {
        let block = alloc(layout(64, 8));
        block.write_bytes(0xa5, 64);
        under(Script::Refuse, || {
            assert!(alloc(layout(64, 8)).is_null());
            assert!(alloc_zeroed(layout(64, 8)).is_null());
            assert!(realloc(block, layout(64, 8), 1 << 20).is_null());
            assert!(realloc(block, layout(64, 8), 8).is_null());
        });
        assert_eq!(std::slice::from_raw_parts(block, 64), [0xa5; 64]);
        let huge = layout(isize::MAX as usize - 63, 8);
        assert!(alloc(huge).is_null(), "no room for a block of half the address space");
        dealloc(block, layout(64, 8));
    }
    drop(scope);
    let seq = recorder.snapshot().expect("a snapshot");
    recorder.finish().expect("the end");
    let recording = Recording::read(&path);
    let total = recording.under(seq, "null");
    assert_eq!((total.allocs, total.frees, total.reallocs), (1, 1, 0));
    assert_eq!((total.alloc_bytes, total.live_bytes), (64, 0));
    assert_eq!(recording.last().dropped.overruns, 0);
}

fn a_zeroed_giant_stays_lazy() {
    let (recorder, path) = record("lazy");
    let seq = giant_stays_lazy(&recorder);
    recorder.finish().expect("the end");
    let live = Recording::read(&path).under(seq, "giant");
    assert_eq!((live.live_objects, live.live_bytes), (1, GIANT as u64));
}

fn alignment_is_the_callers() {
    let (recorder, _) = record("alignment");
    for align in (0..16).map(|power| 1usize << power) {
        for size in [1, 8, 17, 4096] {
            // SAFETY: sizes are not zero; writes stay inside; each block goes back as it is.
            unsafe {
                let block = alloc(layout(size, align));
                assert_eq!(block.addr() % align, 0, "{size} bytes at {align}");
                block.write_bytes(0x5a, size);
                let moved = realloc(block, layout(size, align), size * 4);
                assert_eq!(moved.addr() % align, 0, "{size} bytes at {align}, moved");
                assert!(std::slice::from_raw_parts(moved, size).iter().all(|&byte| byte == 0x5a));
                dealloc(moved, layout(size * 4, align));
                let zeroed = alloc_zeroed(layout(size, align));
                assert_eq!(zeroed.addr() % align, 0, "{size} bytes at {align}, zeroed");
                assert!(std::slice::from_raw_parts(zeroed, size).iter().all(|&byte| byte == 0));
                dealloc(zeroed, layout(size, align));
            }
        }
    }
    recorder.finish().expect("the end");
}

fn a_stuck_inner_allocator_stops_nobody_else() {
    let (recorder, path) = record("stuck");
    let stuck = thread::spawn(|| under(Script::Stuck, || drop(black_box(Box::new(1u64)))));
    wait_for(&STUCK);
    exercise();
    thread::spawn(exercise).join().expect("other threads go on");
    let seq = recorder.snapshot().expect("a snapshot, while one thread is stuck");
    RELEASED.store(true, SeqCst);
    stuck.join().expect("the stuck thread goes on");
    recorder.finish().expect("the end");
    assert_eq!(Recording::read(&path).at(seq).seq, seq);
}

/// A thread finds out where its block counts, and is stopped for whole epochs before it counts it, the quick way,
/// of which the recorder is not told.
fn a_count_that_was_held_up_is_seen(n_snapshots: usize) {
    let (recorder, path) = record("held_up");
    let stuck = thread::spawn(|| {
        let _scope = heaptide::tag("held up");
        for script in [Script::Plain, Script::Stuck] {
            std::mem::forget(under(script, || black_box(Box::new(1u64))));
        }
    });
    wait_for(&STUCK);
    let snapshot = || recorder.snapshot().expect("a snapshot");
    let before = (0..3).fold(0, |_, _| snapshot());
    RELEASED.store(true, SeqCst);
    stuck.join().expect("the stuck thread goes on");
    // Or the one of the end.
    let after = (0..n_snapshots).fold(before + 1, |_, _| snapshot());
    recorder.finish().expect("the end");
    let recording = Recording::read(&path);
    let seen = [before, after].map(|seq| recording.under(seq, "held up").live_objects);
    assert_eq!(seen, [1, 2]);
}

fn an_inner_allocator_may_allocate() {
    let (recorder, path) = record("reenter");
    let scope = heaptide::tag("reenter");
    let kept = under(Script::Reenter, || black_box(Box::new([1u8; 1234])));
    drop(scope);
    let seq = recorder.snapshot().expect("a snapshot");
    drop(kept);
    recorder.finish().expect("the end");
    let total = Recording::read(&path).under(seq, "reenter");
    assert_eq!((total.live_objects, total.live_bytes), (1, 1234));
}

fn an_overrun_is_counted_and_survived() {
    let (recorder, path) = record("overrun");
    // SAFETY: none: this is the program's mistake that must not become ours. System's block has
    // room behind it, because the shim asked for its record there.
    unsafe {
        for overrun in 1..=8 {
            let block = alloc(layout(100, 8));
            for at in 100..100 + overrun {
                block.add(at).write(!block.add(at).read());
            }
            dealloc(black_box(block), layout(100, 8));
        }
    }
    exercise();
    recorder.finish().expect("the end");
    assert_eq!(Recording::read(&path).last().dropped.overruns, 8);
}

fn blocks_from_before_are_not_counted() {
    let before = black_box(Box::new([1u8; 500]));
    let (recorder, path) = record("before");
    let seq = recorder.snapshot().expect("a snapshot");
    drop(before);
    let next = recorder.snapshot().expect("a snapshot");
    recorder.finish().expect("the end");
    let recording = Recording::read(&path);
    let between = recording.between(seq, next);
    assert_eq!((between.frees, between.freed_bytes, between.reallocs), (0, 0, 0));
    let freed = [seq, next].map(|seq| recording.at(seq).freed_from_before);
    assert_eq!(freed[1] - freed[0], 1);
}

/// A container that was there before the recording and grows while it runs: from its first resize on it
/// counts, where it was resized. Those of an earlier recording are no different.
fn a_block_from_before_is_born_when_it_is_resized() {
    // SAFETY: sizes are not zero, and each block is resized and given back with the layout it has.
    unsafe {
        let early = alloc(layout(100, 8));
        let (recorder, _) = record("earlier");
        let earlier = alloc(layout(200, 64));
        recorder.finish().expect("the end");

        let (recorder, path) = record("born_resized");
        let first = recorder.snapshot().expect("a snapshot");
        let scope = heaptide::tag("resized");
        let early = realloc(early, layout(100, 8), 1000);
        under(Script::Refuse, || assert!(realloc(earlier, layout(200, 64), 2000).is_null()));
        let earlier = realloc(earlier, layout(200, 64), 3000);
        drop(scope);
        // It has its birth now, and keeps it.
        let early = realloc(early, layout(1000, 8), 5000);
        let seq = recorder.snapshot().expect("a snapshot");
        dealloc(early, layout(5000, 8));
        dealloc(earlier, layout(3000, 64));
        let last = recorder.snapshot().expect("a snapshot");
        recorder.finish().expect("the end");

        let recording = Recording::read(&path);
        let total = recording.under(seq, "resized");
        assert_eq!((total.allocs, total.frees, total.reallocs), (2, 0, 1));
        assert_eq!((total.alloc_bytes, total.freed_bytes), (9000, 1000));
        let born: Vec<_> =
            recording.tagged(seq, "resized").iter().map(|row| row.cohorts.clone()).collect();
        let epochs: Vec<_> = born.iter().flatten().map(|cohort| cohort.0.0).collect();
        assert!(epochs.iter().all(|&epoch| epoch == first as u32 + 1), "{epochs:?}");
        let total = recording.under(last, "resized");
        assert_eq!((total.frees, total.live_objects, total.live_bytes), (2, 0, 0));
        assert_eq!(recording.last().dropped.overruns, 0);
    }
}

/// A program can live without memory for a while, so it must not end because its recorder could not:
/// the standard library, which the recorder is built on, ends a process that gets no block.
fn a_recorder_without_memory_waits() {
    let path = scratch("waits");
    let builder = Recorder::builder().output(&path).interval(Duration::from_millis(1));
    let recorder = builder.start().expect("a recording starts");
    recorder.snapshot().expect("a snapshot");
    // This thread allocates nothing meanwhile.
    ALL_REFUSED.store(true, SeqCst);
    while N_REFUSED.load(SeqCst) < 5 {
        spin_loop();
    }
    ALL_REFUSED.store(false, SeqCst);
    recorder.snapshot().expect("there is memory again");
    recorder.finish().expect("the end");
    assert!(Recording::read(&path).snapshots.len() >= 3);
}
