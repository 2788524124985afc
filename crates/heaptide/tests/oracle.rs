//! The shim's counts against two counters that share nothing with it: `dhat`, in a process of its
//! own, and five counters around the shim. Same program, same workload, the same numbers exactly.

#![expect(unsafe_code, reason = "chooses the process's allocator at its first allocation")]

mod rig;

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Barrier, Mutex};
use std::thread;

use heaptide::{Heaptide, Recorder};
use heaptide_format::HeapTotals;
use mimalloc::MiMalloc;
use rig::recording::{Recording, less};
use rig::tally::{self, Tally};
use rig::{program, scratch};
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static HEAP: Tally<Chosen> = Tally(Chosen);

fn main() -> ExitCode {
    rig::main(
        &[
            ("over_system", || agrees_with_dhat("system")),
            ("over_jemalloc", || agrees_with_dhat("jemalloc")),
            ("over_mimalloc", || agrees_with_dhat("mimalloc")),
        ],
        &[("under dhat", under_dhat), ("under heaptide", under_heaptide)],
    )
}

/// Names the allocator of a program of this test.
const ORACLE: &std::ffi::CStr = c"RIG_ALLOCATOR";

static SYSTEM: Heaptide = Heaptide::new();
static JEMALLOC: Heaptide<Jemalloc> = Heaptide::with(Jemalloc);
static MIMALLOC: Heaptide<MiMalloc> = Heaptide::with(MiMalloc);
static DHAT: dhat::Alloc = dhat::Alloc;
static CHOICE: AtomicU8 = AtomicU8::new(0);

/// The allocator that the environment names; one for the process's life.
struct Chosen;

impl Chosen {
    fn get(&self) -> &'static dyn GlobalAlloc {
        if CHOICE.load(Relaxed) == 0 {
            CHOICE.store(Self::initial(), Relaxed);
        }
        match CHOICE.load(Relaxed) {
            b'd' => &DHAT,
            b'j' => &JEMALLOC,
            b'm' => &MIMALLOC,
            b's' => &SYSTEM,
            _ => &System,
        }
    }

    fn initial() -> u8 {
        // SAFETY: the name is a C string; nobody changes the environment.
        let value = unsafe { libc::getenv(ORACLE.as_ptr()) };
        if value.is_null() {
            return b'-';
        }
        // SAFETY: what getenv(3) returns points at a C string, which has a first byte.
        unsafe { *value as u8 }
    }
}

// SAFETY: every call of the process goes to the one allocator that was chosen at the first.
unsafe impl GlobalAlloc for Chosen {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise, passed on.
        unsafe { self.get().alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise, passed on.
        unsafe { self.get().alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's promise, passed on.
        unsafe { self.get().realloc(block, layout, new_size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        unsafe { self.get().dealloc(block, layout) }
    }
}

#[repr(align(512))]
struct OverAligned([u8; 700]);

/// Threads that make, grow, shrink, zero, over-align, keep, free, and pass on blocks. What they do
/// depends on nothing but this text; which thread frees whose block does not show, for those on
/// the shelf are all alike.
fn workload() -> Vec<Vec<u8>> {
    const THREADS: usize = 4;
    let shelf = Mutex::new(Vec::with_capacity(THREADS * 100));
    let together = Barrier::new(THREADS);
    thread::scope(|scope| {
        let start = |number| {
            let (shelf, together) = (&shelf, &together);
            scope.spawn(move || {
                let made = make(number);
                shelf.lock().expect("no thread panics").extend(made);
                together.wait();
                let taken = shelf.lock().expect("no thread panics").pop();
                drop(black_box(taken));
            })
        };
        // Joined one by one: the end of a scope does not wait for what a thread frees last.
        let threads: Vec<_> = (0..THREADS).map(start).collect();
        threads.into_iter().for_each(|thread| thread.join().expect("it ends well"));
    });
    shelf.into_inner().expect("no thread panics")
}

fn make(number: usize) -> Vec<Vec<u8>> {
    let mut made = Vec::with_capacity(100);
    for step in 0..300 {
        let mut block = black_box(vec![number as u8; 10 + step % 50]);
        block.reserve_exact(300 + step);
        if step % 3 == 0 {
            block.shrink_to(40);
            made.push(black_box(vec![1u8; 256]));
        }
        drop(black_box(vec![0u64; 1 + step]));
        assert_eq!(black_box(Box::new(OverAligned([7; 700]))).0[step % 700], 7);
    }
    made.push(black_box(vec![0u8; 256]));
    made.truncate(99);
    made
}

/// The four numbers that dhat has too, as a program prints them for the test that started it: blocks
/// and bytes in total, blocks and bytes that are live. A realloc counts as another block.
type Totals = [u64; 4];

fn under_heaptide() {
    let path = scratch("oracle");
    let recorder = Recorder::builder().output(&path).start().expect("a recording starts");
    tally::leave_out_recorder();
    let from = tally::snapshot(&recorder);
    let before = tally::so_far();
    let kept = workload();
    let counted = less(tally::so_far(), before);
    let to = tally::snapshot(&recorder);
    drop(kept);
    recorder.finish().expect("the end");
    let recorded = Recording::read(&path).between(from, to);
    assert_eq!(recorded, counted, "the counters around the shim");
    let HeapTotals { allocs, reallocs, alloc_bytes, live_objects, live_bytes, .. } = recorded;
    assert!(allocs > 3000 && reallocs > 1000 && live_objects > 300, "{recorded:?}");
    println!("{:?}", [allocs + reallocs, alloc_bytes, live_objects, live_bytes]);
}

fn under_dhat() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let before = dhat::HeapStats::get();
    let kept = workload();
    let after = dhat::HeapStats::get();
    drop(kept);
    let totals: Totals = [
        after.total_blocks - before.total_blocks,
        after.total_bytes - before.total_bytes,
        (after.curr_blocks - before.curr_blocks) as u64,
        (after.curr_bytes - before.curr_bytes) as u64,
    ];
    println!("{totals:?}");
}

fn totals_of(case: &str, allocator: &str) -> Totals {
    let variable = ORACLE.to_str().expect("a plain name");
    let output = program(case).env(variable, allocator).output().expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{case} over {allocator}: {}\n{errors}", output.status);
    let line = text.lines().last().expect("a line of totals");
    serde_json::from_str(line).expect("totals")
}

fn agrees_with_dhat(inner: &str) {
    assert_eq!(totals_of("under heaptide", inner), totals_of("under dhat", "dhat"));
}
