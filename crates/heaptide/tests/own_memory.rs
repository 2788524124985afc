//! Our own memory does not multiply threads by sites: beyond its budget it grows with the sites and with
//! the threads (docs/SAFETY.md, rule 15), in memory and in addresses.

#![expect(unsafe_code, reason = "limits of the process")]

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
            ("addresses_of_threads_are_bounded", addresses_of_threads_are_bounded),
            ("locked_memory_of_threads_is_bounded", locked_memory_of_threads_is_bounded),
        ],
        &[("threads in little room", threads_in_little_room)],
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

// --- room ------------------------------------------------------------------------------------------------

/// Names the bytes that may be mapped beyond what is mapped when the threads start; without it, any number.
const ROOM: &str = "ROOM_BYTES";
/// Set if all that is mapped is to be in memory.
const LOCKED: &str = "LOCKED";
const ROOM_THREADS: usize = 32;
/// What docs/RELIABILITY.md says that a thread takes of addresses beside the budget, and of memory.
const THREAD_ADDRESS_BYTES: u64 = 640 << 10;
const THREAD_RESIDENT_BYTES: u64 = 560 << 10;
/// For what the recorder itself allocates for a snapshot.
const SNAPSHOT_BYTES: u64 = 4 << 20;

/// A number of kibibytes that `/proc/self/status` has under this name, in bytes.
fn status_bytes(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has /proc");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a known name");
    line.trim_matches([':', '\t', ' ', 'k', 'B']).parse::<u64>().expect("a number") << 10
}

fn limit_addresses(bytes: u64) {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
    // SAFETY: `limit` is initialised.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) }, 0);
}

/// Threads that are all there at once make blocks at many sites, with as much room as the test says; prints how
/// much was mapped meanwhile, and how much of it was in memory.
fn threads_in_little_room() {
    // An arena of the allocator's for each thread would be 64 MiB of addresses.
    // SAFETY: takes plain numbers.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
    if std::env::var_os(LOCKED).is_some() {
        let limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
        // SAFETY: `limit` is initialised.
        let may = unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &limit) } == 0;
        // SAFETY: takes a number.
        let is_locked = may && unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE) } == 0;
        if !is_locked {
            return println!("not allowed");
        }
    }
    let (mapped, resident) = (status_bytes("VmSize"), status_bytes("VmRSS"));
    if let Ok(room) = std::env::var(ROOM) {
        limit_addresses(mapped + room.parse::<u64>().expect("a number"));
    }
    // Who measures is one more.
    let together = std::sync::Barrier::new(ROOM_THREADS + 1);
    thread::scope(|scope| {
        for _ in 0..ROOM_THREADS {
            let begin = thread::Builder::new().stack_size(64 << 10);
            let work = || {
                together.wait();
                branch_to(ROOM_DEPTH, &mut || drop(black_box(Box::new(1u64))));
                together.wait();
                together.wait();
            };
            begin.spawn_scoped(scope, work).expect("room for a thread");
        }
        together.wait();
        together.wait();
        println!("{} {}", status_bytes("VmSize") - mapped, status_bytes("VmRSS") - resident);
        together.wait();
    });
}

/// Levels of eight-way calls: 64 sites.
const ROOM_DEPTH: u32 = 2;

/// What the threads took of addresses and of memory, without the shim and with it, where there was as much room
/// as is promised that they need; `None` if this user may not lock so much memory, in a container for one.
fn room_taken(name: &str, settings: &[(&str, &str)]) -> Option<[[u64; 2]; 2]> {
    let run = |more: &[(&str, &str)]| {
        let mut program = rig::program("threads in little room");
        program.envs(settings.iter().chain(more).copied());
        let output = program.output().expect("it starts");
        let text = String::from_utf8_lossy(&output.stdout);
        let wrong =
            || panic!("{}: {text}{}", output.status, String::from_utf8_lossy(&output.stderr));
        let numbers: Vec<u64> = text.split_whitespace().filter_map(|it| it.parse().ok()).collect();
        match numbers[..] {
            [mapped, resident] if output.status.success() => Some([mapped, resident]),
            _ if text == "not allowed\n" => None,
            _ => wrong(),
        }
    };
    let alone = run(&[("HEAPTIDE_MODE", "off")])?;
    let path = scratch(name);
    let (budget, room) = (BUDGET_BYTES.to_string(), room_for(alone[0]).to_string());
    let out = path.to_str().expect("a plain name");
    let recorded = run(&[("HEAPTIDE_OUT", out), ("HEAPTIDE_MEMORY", &budget), (ROOM, &room)])?;
    let recording = Recording::read(&path);
    assert_eq!(recording.last().dropped, heaptide_format::Dropped::default());
    assert!(recording.last().heap.allocs >= 64 * ROOM_THREADS as u64);
    Some([alone, recorded])
}

/// The addresses that are promised to suffice.
fn room_for(alone: u64) -> u64 {
    alone + BUDGET_BYTES + ROOM_THREADS as u64 * THREAD_ADDRESS_BYTES + SNAPSHOT_BYTES
}

/// A program that lives under a limit of addresses lives under one higher by what is promised, and loses no
/// count.
fn addresses_of_threads_are_bounded() {
    let [alone, recorded] = room_taken("addresses", &[]).expect("nothing is locked");
    assert!(recorded[0] <= room_for(alone[0]), "{recorded:?}, and {alone:?} without");
}

/// The same where all that is mapped is in memory.
fn locked_memory_of_threads_is_bounded() {
    let Some([alone, recorded]) = room_taken("locked", &[(LOCKED, "1")]) else {
        return eprintln!("not tried: this user may not lock memory");
    };
    let most = BUDGET_BYTES + ROOM_THREADS as u64 * THREAD_RESIDENT_BYTES + SNAPSHOT_BYTES;
    assert!(recorded[1] - alone[1] <= most, "{recorded:?}, and {alone:?} without");
}
