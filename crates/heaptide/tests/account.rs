//! The account of the whole process, against what C's allocator and the kernel say of the same memory.

#![expect(unsafe_code, reason = "takes memory beside the allocator under watch")]

mod rig;

use std::alloc::{GlobalAlloc, Layout};
use std::fs::File;
use std::hint::black_box;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;
use std::{iter, thread};

use heaptide::{Heaptide, Recorder, Threshold};
use heaptide_format::{Account, Parts, PartsSource, Reason, Snapshot};
use rig::recording::Recording;
use rig::{dice::Dice, scratch};

#[global_allocator]
static HEAP: Heaptide = Heaptide::new();

fn main() -> ExitCode {
    rig::main(
        &[
            ("rust_and_c_are_told_apart_to_kilobytes", rust_and_c_are_told_apart_to_kilobytes),
            ("each_part_grows_by_what_it_is_given", each_part_grows_by_what_it_is_given),
            ("threads_and_descriptors_are_counted", threads_and_descriptors_are_counted),
            ("the_recorder_is_not_taken_for_c", the_recorder_is_not_taken_for_c),
            ("a_mark_is_passed_once", a_mark_is_passed_once),
            ("what_ran_out_of_memory_shows_who_took_it", what_ran_out_of_memory_shows_who_took_it),
        ],
        &[("leaks until memory runs out", leaks_until_memory_runs_out)],
    )
}

/// A recording, and the account at one moment after another.
struct Accounts {
    recorder: Recorder,
    path: PathBuf,
}

impl Accounts {
    fn start(name: &str) -> Self {
        let path = scratch(name);
        let recorder = Recorder::builder().output(&path).start().expect("a recording starts");
        Self { recorder, path }
    }

    /// The next snapshot that has all of it: the parts are not read each time.
    fn next(&self) -> (Snapshot, Account, Parts) {
        loop {
            let seq = self.recorder.snapshot().expect("a snapshot");
            let snapshot = Recording::read_so_far(&self.path).expect("written").at(seq).clone();
            let account = snapshot.account.clone().expect("Linux says what a process holds");
            if let Some(parts) = account.parts.clone() {
                return (snapshot, account, parts);
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// How much more there is; negative if less.
fn more(after: u64, before: u64) -> i64 {
    after as i64 - before as i64
}

fn assert_near(seen: i64, expected: i64, off_by: i64, what: &str) {
    assert!((seen - expected).abs() <= off_by, "{what}: {seen}, expected {expected}");
}

/// The parts less what is not resident are the resident set, but for pages of files that were written to.
fn assert_adds_up(snapshot: &Snapshot, parts: &Parts) {
    let sum = parts.rust_heap_bytes
        + parts.other_malloc_bytes
        + parts.allocator_free_bytes
        + parts.thread_stacks_bytes
        + parts.anonymous_bytes
        + parts.files_bytes
        + parts.shim_bytes;
    let resident = more(sum, parts.not_resident_bytes);
    assert_near(snapshot.rss_bytes as i64, resident, 1 << 20, "the parts together");
}

/// What a block takes in glibc's allocator, by its own word.
fn chunk_bytes(block: *mut u8) -> i64 {
    // SAFETY: a block of the allocator of the C library, which is what the shim passes on.
    let usable = unsafe { libc::malloc_usable_size(block.cast()) };
    usable as i64 + 8
}

fn rust_and_c_are_told_apart_to_kilobytes() {
    let accounts = Accounts::start("told-apart");
    // What the recorder gives back stays in its thread's cache, and counts as in use: first that fills.
    (0..10).for_each(|_| drop(accounts.next()));
    let (_, _, before) = accounts.next();
    assert_eq!(before.source, PartsSource::Glibc);
    let dice = Dice::new(1);
    let (mut taken, mut of_c) = (0, 0);
    let mut blocks = Vec::with_capacity(200_000);
    for _ in 0..200_000 {
        let layout = Layout::from_size_align(1 + dice.roll(300) as usize, 8).expect("a layout");
        // SAFETY: not empty.
        let block = unsafe { HEAP.alloc(layout) };
        taken += chunk_bytes(block);
        blocks.push((block, layout));
    }
    taken += chunk_bytes(blocks.as_mut_ptr().cast());
    for _ in 0..20_000 {
        // SAFETY: any size may be asked for.
        of_c += chunk_bytes(unsafe { libc::malloc(1 + dice.roll(300) as usize) }.cast());
    }
    let (snapshot, _, after) = accounts.next();
    assert_near(more(after.rust_heap_bytes, before.rust_heap_bytes), taken, 16 << 10, "Rust");
    assert_near(more(after.other_malloc_bytes, before.other_malloc_bytes), of_c, 64 << 10, "C");
    assert_adds_up(&snapshot, &after);
    for (block, layout) in blocks.drain(..) {
        // SAFETY: made above with this layout.
        unsafe { HEAP.dealloc(block, layout) };
    }
    drop(blocks);
    let (snapshot, _, freed) = accounts.next();
    assert_near(more(freed.rust_heap_bytes, before.rust_heap_bytes), 0, 16 << 10, "Rust, freed");
    assert_near(more(freed.other_malloc_bytes, before.other_malloc_bytes), of_c, 64 << 10, "C");
    assert_near(
        more(freed.allocator_free_bytes, after.allocator_free_bytes),
        taken,
        8 << 20,
        "kept",
    );
    assert_adds_up(&snapshot, &freed);
}

const MIB: i64 = 1 << 20;

/// Takes forty mebibytes of a mapping, and touches them all.
fn map(kind: libc::c_int) -> Box<dyn Send> {
    let bytes = 40 * MIB as usize;
    // SAFETY: a fresh mapping.
    let at = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            kind | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    assert_ne!(at, libc::MAP_FAILED);
    // SAFETY: the whole mapping.
    unsafe { libc::memset(at, 1, bytes) };
    Box::new(())
}

fn each_part_grows_by_what_it_is_given() {
    let accounts = Accounts::start("each-part");
    type Give = fn() -> Box<dyn Send>;
    type PartOf = fn(&Parts) -> u64;
    let gives: [(&str, Give, PartOf, i64); 6] = [
        ("touched capacity", || Box::new(vec![1u8; 40 << 20]), |parts| parts.rust_heap_bytes, 0),
        (
            "untouched capacity",
            || Box::new(Vec::<u8>::with_capacity(40 << 20)),
            |parts| parts.not_resident_bytes,
            0,
        ),
        ("private", || map(libc::MAP_PRIVATE), |parts| parts.anonymous_bytes, 0),
        ("shared", || map(libc::MAP_SHARED), |parts| parts.anonymous_bytes, 0),
        ("large blocks of C", large_blocks, |parts| parts.other_malloc_bytes, 0),
        ("a stack", || Box::new(deep_thread()), |parts| parts.thread_stacks_bytes, 2 * MIB),
    ];
    for (what, give, part, off_by) in gives {
        let (_, _, before) = accounts.next();
        let held = black_box(give());
        let (snapshot, _, after) = accounts.next();
        assert_near(more(part(&after), part(&before)), 40 * MIB, off_by.max(256 << 10), what);
        assert_adds_up(&snapshot, &after);
        drop(held);
    }
}

/// Forty of a mebibyte each, which the kernel puts side by side.
fn large_blocks() -> Box<dyn Send> {
    for _ in 0..40 {
        // SAFETY: any size may be asked for.
        let block = unsafe { libc::malloc(MIB as usize) };
        // SAFETY: the whole block.
        unsafe { libc::memset(block, 1, MIB as usize) };
    }
    Box::new(())
}

/// Calls itself until the stack has used so much below an address.
fn go_down(bytes: usize, from: usize) {
    let page = black_box([1u8; 4096]);
    if from - page.as_ptr().addr() < bytes {
        go_down(bytes, from);
    }
    black_box(&page);
}

/// A thread that has used forty mebibytes of its stack, until its sender is dropped.
fn deep_thread() -> mpsc::Sender<()> {
    let (hold, held) = mpsc::channel::<()>();
    let (say, said) = mpsc::channel();
    let deep = move || {
        go_down(40 << 20, (&raw const held).addr());
        say.send(()).expect("somebody waits");
        let _ = held.recv();
    };
    thread::Builder::new().stack_size(48 << 20).spawn(deep).expect("a thread");
    said.recv().expect("it went deep");
    hold
}

fn threads_and_descriptors_are_counted() {
    let accounts = Accounts::start("counted");
    let (_, before, _) = accounts.next();
    assert_eq!(before.threads, 1, "the recorder's own are left out");
    let (hold, held) = mpsc::channel::<()>();
    let held = std::sync::Arc::new(std::sync::Mutex::new(held));
    for _ in 0..7 {
        let held = std::sync::Arc::clone(&held);
        thread::spawn(move || held.lock().map(|held| held.recv()).is_ok());
    }
    let files: Vec<File> =
        iter::repeat_with(|| File::open("/dev/null").expect("it can be opened")).take(9).collect();
    let (_, after, _) = accounts.next();
    assert_eq!(after.threads, 8);
    assert_eq!(after.descriptors.zip(before.descriptors).map(|(a, b)| a - b), Some(9));
    assert!(after.cpu_ns > before.cpu_ns);
    drop((files, hold));
}

/// A block at the end of a way of so many turns, each way a site of its own.
fn at_end(way: u32, n_turns: u32) -> Box<u64> {
    match (n_turns, way % 2) {
        (0, _) => Box::new(7),
        (_, 0) => black_box(at_end(way / 2, n_turns - 1)),
        (_, _) => black_box(at_end(way / 2, n_turns - 1)),
    }
}

/// What the recorder keeps of each site comes from the same allocator, but for what lies in the caches of
/// two threads, which count as in use.
fn the_recorder_is_not_taken_for_c() {
    let accounts = Accounts::start("recorder");
    let (_, _, before) = accounts.next();
    let kept: Vec<Box<u64>> = (0..1 << 13).map(|way| at_end(way, 13)).collect();
    for _ in 0..5 {
        let after = accounts.next().2;
        let of_c = more(after.other_malloc_bytes, before.other_malloc_bytes);
        assert_near(of_c, 0, 512 << 10, &format!("{after:?}"));
    }
    let own = more(accounts.next().2.shim_bytes, before.shim_bytes);
    assert!(own > 4 << 20, "too little to be taken for C: {own}");
    drop(kept);
}

fn n_taken_at_marks(path: &Path) -> usize {
    let read = Recording::read_so_far(path).expect("written");
    read.snapshots.iter().filter(|snapshot| snapshot.reason == Reason::Threshold).count()
}

fn a_mark_is_passed_once() {
    let path = scratch("marks");
    let marks = [100, 200, 10_000].map(|mib| Threshold::Bytes(mib << 20));
    let builder = Recorder::builder().output(&path).thresholds(marks);
    let recorder = builder.start().expect("a recording starts");
    let mut held = Vec::new();
    for n_passed in [1, 2] {
        held.push(black_box(vec![1u8; 100 << 20]));
        while n_taken_at_marks(&path) < n_passed {
            thread::sleep(Duration::from_millis(20));
        }
    }
    held.clear();
    held.push(black_box(vec![1u8; 150 << 20]));
    recorder.finish().expect("it ends");
    assert_eq!(n_taken_at_marks(&path), 2);
    let read = Recording::read(&path);
    let largest = read.snapshots.iter().filter(|snapshot| snapshot.reason == Reason::Threshold);
    let live: Vec<u64> = largest.map(|snapshot| snapshot.heap.live_bytes >> 20).collect();
    assert_eq!(live, [100, 200], "what passed the mark is in the snapshot");
}

const RECORDING: &str = "RIG_RECORDING";

/// Nothing is written when memory has run out: what is known then is what the marks on the way left.
fn what_ran_out_of_memory_shows_who_took_it() {
    let path = scratch("ran_out");
    let mut program = rig::program("leaks until memory runs out");
    let status = program.env(RECORDING, &path).status().expect("it starts");
    assert_eq!(status.signal(), Some(libc::SIGABRT), "an allocation failed");
    let read = Recording::read_so_far(&path).expect("what is there is whole");
    let last = read.last();
    assert_eq!((last.reason, n_taken_at_marks(&path)), (Reason::Threshold, 3));
    let leaked_bytes = read.under(last.seq, "sessions").live_bytes;
    assert!(10 * leaked_bytes > 9 * last.heap.live_bytes, "{leaked_bytes} of {:?}", last.heap);
    assert!(10 * leaked_bytes > 7 * LIMIT_BYTES, "{leaked_bytes}, too long before the end");
}

const LIMIT_BYTES: u64 = 1 << 30;

fn leaks_until_memory_runs_out() {
    let limit = libc::rlimit { rlim_cur: LIMIT_BYTES, rlim_max: LIMIT_BYTES };
    // SAFETY: reads the struct.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) }, 0);
    let path = PathBuf::from(std::env::var_os(RECORDING).expect("the test gives it"));
    let recorder = Recorder::builder().output(&path).start().expect("a recording starts");
    let _tag = heaptide::tag("sessions");
    for (n_passed, percent) in [(1, 50), (2, 80), (3, 95)] {
        while address_space_bytes() <= LIMIT_BYTES / 100 * percent {
            std::mem::forget(black_box(Vec::<u8>::with_capacity(1 << 20)));
        }
        // However slow the machine is: the recorder looks now and then.
        while n_taken_at_marks(&path) < n_passed {
            thread::sleep(Duration::from_millis(20));
        }
    }
    loop {
        std::mem::forget(black_box((Vec::<u8>::with_capacity(1 << 20), &recorder)));
    }
}

fn address_space_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = statm.split(' ').next().and_then(|pages| pages.parse::<u64>().ok());
    pages.expect("a number of pages") * 4096
}
