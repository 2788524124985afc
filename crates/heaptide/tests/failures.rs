//! What fails around the shim: disks, memory, and others with the same file in mind. Whatever could be
//! written is whole, and what could not be counted is said (docs/SAFETY.md, rules 6 and 8).

#![expect(unsafe_code, reason = "limits of the process")]

mod rig;

use std::alloc::System;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::ptr;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::thread;

use heaptide::{Error, Heaptide, Recorder};
use heaptide_format::Dropped;
use rig::recording::{Recording, less};
use rig::stacks::branch;
use rig::tally::{self, Tally};
use rig::{scratch, scratch_folder};

#[global_allocator]
static HEAP: Tally<Heaptide<System>> = Tally(Heaptide::with(System));

fn main() -> ExitCode {
    rig::main(
        &[
            ("a_segment_begins_with_its_header", a_segment_begins_with_its_header),
            ("two_processes_share_no_file", two_processes_share_no_file),
            ("what_finds_no_memory_is_dropped_and_said", what_finds_no_memory_is_dropped),
            ("a_thread_without_memory_is_said", a_thread_without_memory_is_said),
            ("a_resize_whose_place_is_not_found_loses_no_block", a_resize_loses_no_block),
        ],
        &[("records for a while", records_for_a_while)],
    )
}

/// Does `work` under a limit, and lifts it again.
fn limited<T>(what: libc::__rlimit_resource_t, limit: u64, work: impl FnOnce() -> T) -> T {
    let mut before = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `before` is writable.
    assert_eq!(unsafe { libc::getrlimit(what, &mut before) }, 0);
    let low = libc::rlimit { rlim_cur: limit, ..before };
    // SAFETY: only the soft limit is lowered, so that it can be lifted.
    assert_eq!(unsafe { libc::setrlimit(what, &low) }, 0);
    let result = work();
    // SAFETY: as above.
    assert_eq!(unsafe { libc::setrlimit(what, &before) }, 0);
    result
}

fn all_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

/// The disk is full just when a new segment is begun: the next snapshot that can be written brings
/// the header, and every site again.
fn a_segment_begins_with_its_header() {
    // SAFETY: the default is to end the process, which no service would leave at that.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    let folder = scratch_folder("disk_full");
    let builder = Recorder::builder().output(folder.join("shop.jsonl")).segment_bytes(1);
    let recorder = builder.start().expect("a recording starts");
    let kept = black_box(vec![1u8; 1000]);
    recorder.snapshot().expect("a snapshot");
    for _ in 0..2 {
        let refused = limited(libc::RLIMIT_FSIZE, 10, || recorder.snapshot());
        assert!(matches!(refused, Err(Error::Write(_))), "{refused:?}");
    }
    recorder.snapshot().expect("there is room again");
    recorder.finish().expect("the end");
    drop(kept);

    let segments: Vec<_> = all_in(&folder).iter().map(|path| Recording::read(path)).collect();
    for segment in &segments {
        let known: Vec<_> = segment.sites.iter().map(|site| site.id).collect();
        let rows = segment.snapshots.iter().flat_map(|snapshot| &snapshot.sites);
        assert!(rows.into_iter().all(|row| known.contains(&row.site)));
    }
    let seqs = segments.iter().flat_map(|segment| &segment.snapshots).map(|snapshot| snapshot.seq);
    let mut seqs: Vec<_> = seqs.collect();
    seqs.sort_unstable();
    assert_eq!(seqs, [0, 1, 2]);
    let last = segments.iter().filter_map(|segment| segment.snapshots.last());
    assert_eq!(last.map(|snapshot| snapshot.dropped.snapshots).max(), Some(2));
}

const ROUNDS: u64 = 30;
const PROCESSES: usize = 3;

fn records_for_a_while() {
    let recorder = Recorder::builder().start().expect("the recording that the environment began");
    let out = PathBuf::from(std::env::var_os("HEAPTIDE_OUT").expect("the test gives it"));
    // All at the same time: else the later may take the earlier's name.
    while all_in(out.parent().expect("a folder")).len() < PROCESSES {
        thread::yield_now();
    }
    for _ in 0..ROUNDS {
        drop(black_box(vec![1u8; 100]));
        recorder.snapshot().expect("a snapshot");
    }
    recorder.finish().expect("the end");
}

/// Each of the processes writes a file of its own, whole.
fn two_processes_share_no_file() {
    let folder = scratch_folder("together");
    let start = || {
        let mut program = rig::program("records for a while");
        program.env("HEAPTIDE_OUT", folder.join("shop.jsonl")).spawn().expect("it starts")
    };
    let programs: [_; PROCESSES] = std::array::from_fn(|_| start());
    let pids = programs.map(|mut program| {
        assert!(program.wait().expect("it ends").success());
        program.id()
    });
    let mut recorded: Vec<u32> = Vec::new();
    for path in all_in(&folder) {
        let recording = Recording::read(&path);
        let ending = path.extension().expect("an ending");
        assert_eq!(ending, "jsonl", "{} was set aside while it was written", path.display());
        assert_eq!(recording.snapshots.len() as u64, ROUNDS + 1, "{}", path.display());
        recorded.push(recording.header.pid);
    }
    recorded.sort_unstable();
    let mut pids = pids.to_vec();
    pids.sort_unstable();
    assert_eq!(recorded, pids);
}

/// Records the work that `prepare` returns, done while the system gives nobody more memory. What the
/// program itself needs, the inner allocator has in store.
fn without_memory<W: FnOnce()>(name: &str, prepare: impl FnOnce() -> W) -> WithoutMemory {
    // One store for all threads, and something in it.
    // SAFETY: takes plain numbers.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
    drop(black_box(vec![1u8; 1 << 16]));
    let path = scratch(name);
    let recorder = Recorder::builder().output(&path).start().expect("a recording starts");
    tally::leave_out_recorder();
    let work = prepare();
    let from = tally::snapshot(&recorder);
    let before = tally::so_far();
    limited(libc::RLIMIT_AS, 1 << 20, work);
    // There is memory again: what was known before is counted as before.
    branch(2);
    let made = less(tally::so_far(), before);
    let to = tally::snapshot(&recorder);
    recorder.finish().expect("the end");
    let recording = Recording::read(&path);
    let recorded = recording.between(from, to);
    assert_eq!(recorded.allocs, recorded.frees, "nothing is left that was freed");
    let Dropped { blocks, sites, .. } = recording.at(to).dropped;
    WithoutMemory { recorded: recorded.allocs, made: made.allocs, blocks, sites }
}

/// What became of the blocks that were made without memory.
struct WithoutMemory {
    recorded: u64,
    made: u64,
    /// Said to be dropped.
    blocks: u64,
    /// Said to have no site of their own: those blocks count at the site of all the rest.
    sites: u64,
}

impl WithoutMemory {
    /// Whether slots or sites found no room first depends on where the addresses of this process lie.
    fn check_all_is_said(&self) {
        let Self { recorded, made, blocks, sites } = *self;
        assert!(blocks + sites > 0, "all {made} blocks found room");
        assert_eq!(recorded + blocks, made);
    }
}

fn what_finds_no_memory_is_dropped() {
    let seen = without_memory("no_memory", || || branch(4));
    assert!(seen.recorded > 64, "what needs no memory goes on");
    seen.check_all_is_said();
}

// Waiting by a channel would allocate.
static MAY_BEGIN: AtomicBool = AtomicBool::new(false);
static MAY_END: AtomicBool = AtomicBool::new(false);
static DONE: AtomicU32 = AtomicU32::new(0);

fn wait_until(is_so: impl Fn() -> bool) {
    while !is_so() {
        thread::yield_now();
    }
}

extern "C" fn ten_blocks(_: *mut libc::c_void) -> *mut libc::c_void {
    wait_until(|| MAY_BEGIN.load(SeqCst));
    (0..10).for_each(|_| drop(black_box(Box::new(1u64))));
    DONE.fetch_add(1, SeqCst);
    wait_until(|| MAY_END.load(SeqCst));
    ptr::null_mut()
}

/// The first block of a new thread finds no room for the thread's own tables; of four, one may find
/// tables that somebody left.
fn a_thread_without_memory_is_said() {
    let prepare = || {
        for _ in 0..4 {
            let mut id = 0;
            // SAFETY: a thread without arguments; the standard library's would allocate at once.
            let made =
                unsafe { libc::pthread_create(&mut id, ptr::null(), ten_blocks, ptr::null_mut()) };
            assert_eq!(made, 0);
        }
        || {
            MAY_BEGIN.store(true, SeqCst);
            wait_until(|| DONE.load(SeqCst) == 4);
        }
    };
    let seen = without_memory("no_thread", prepare);
    MAY_END.store(true, SeqCst);
    assert!(seen.blocks >= 30, "{} blocks made, {} dropped", seen.made, seen.blocks);
    seen.check_all_is_said();
}

/// How far two threads have come together.
static STAGE: AtomicU32 = AtomicU32::new(0);

fn reach(stage: u32) {
    STAGE.store(stage, SeqCst);
    wait_until(|| STAGE.load(SeqCst) != stage);
}

#[inline(never)]
fn grow(mut block: Vec<u8>) {
    block.reserve_exact(black_box(4000));
    std::mem::forget(block);
}

/// Grows a block while there is memory, so that the place where it does so is known.
extern "C" fn grows_early(_: *mut libc::c_void) -> *mut libc::c_void {
    grow(black_box(Vec::with_capacity(300)));
    // Another thread would take over what this one knows.
    reach(1);
    wait_until(|| MAY_END.load(SeqCst));
    ptr::null_mut()
}

/// Grows one in the same place when there is none.
extern "C" fn grows_late(_: *mut libc::c_void) -> *mut libc::c_void {
    let block = black_box(Vec::with_capacity(301));
    reach(2);
    grow(block);
    reach(3);
    ptr::null_mut()
}

/// Where a block grows is worth knowing too; a thread that has no room to remember the place loses
/// nothing, since the block counts where it was made.
fn a_resize_loses_no_block() {
    let start = |body, stage| {
        let mut id = 0;
        // SAFETY: a thread without arguments; the standard library's would allocate at once.
        let made = unsafe { libc::pthread_create(&mut id, ptr::null(), body, ptr::null_mut()) };
        assert_eq!(made, 0);
        wait_until(|| STAGE.load(SeqCst) == stage);
    };
    let prepare = || {
        start(grows_early, 1);
        // What the next thread counts at is far from what the first did.
        branch(3);
        start(grows_late, 2);
        || {
            branch(5);
            STAGE.store(0, SeqCst);
            wait_until(|| STAGE.load(SeqCst) == 3);
        }
    };
    let seen = without_memory("no_memory_to_grow", prepare);
    MAY_END.store(true, SeqCst);
    seen.check_all_is_said();
}
