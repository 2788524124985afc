//! Programs that the system gives little: memory, descriptors, rights.

#![expect(unsafe_code, reason = "blocks that may be refused, and a filter for the kernel")]

use std::alloc::{Layout, alloc, dealloc};
use std::thread;
use std::time::Duration;

use crate::call::Resource;
use crate::load::{Paths, allocate_at, churn};
use crate::memory::resident_bytes;
use crate::recording::folder;
use crate::{Plan, Profiler, Program, alive, call, note};

pub(crate) const PROGRAMS: &[(&str, Program)] = &[
    ("out-of-memory", out_of_memory),
    ("little-address-space", little_address_space),
    ("out-of-descriptors", out_of_descriptors),
    ("locked-memory", locked_memory),
    ("new-user-namespace", new_user_namespace),
    ("records-in-a-user-namespace", records_in_a_user_namespace),
    ("changes-root", changes_root),
    ("changes-user", changes_user),
    ("calls-are-refused", |profiler| under_filter(profiler, Verdict::Refuse)),
    ("calls-kill-the-thread", |profiler| under_filter(profiler, Verdict::Kill)),
];

/// A block that the program can do without.
fn try_block(bytes: usize) -> Option<*mut u8> {
    let layout = Layout::from_size_align(bytes, 8).ok()?;
    // SAFETY: the size is not zero.
    let block = unsafe { alloc(layout) };
    (!block.is_null()).then_some(block)
}

fn give_back(block: *mut u8, bytes: usize) {
    let layout = Layout::from_size_align(bytes, 8).expect("as it was made");
    // SAFETY: made by `try_block` with this size.
    unsafe { dealloc(block, layout) };
}

fn address_space_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux has /proc");
    let pages = text.split(' ').next().and_then(|pages| pages.parse::<u64>().ok());
    pages.expect("the first number of statm") * 4096
}

/// Takes all memory that it may have, and lives with a null, while the recorder wants memory too.
fn out_of_memory(_profiler: &'static dyn Profiler) {
    churn();
    call::limit(Resource::AddressSpace, address_space_bytes() + (4 << 20));
    let mut blocks = [std::ptr::null_mut(); 4096];
    for round in 0..5 {
        let mut n = 0;
        while n < blocks.len() {
            let Some(block) = try_block(5000 + round) else { break };
            blocks[n] = block;
            n += 1;
        }
        thread::sleep(Duration::from_millis(100));
        blocks[..n].iter().for_each(|&block| give_back(block, 5000 + round));
    }
    call::limit(Resource::AddressSpace, u64::MAX);
    alive();
}

/// With ever more room from almost none, so that each thing that is mapped is refused once. The
/// child lives with every refusal.
fn little_address_space(_profiler: &'static dyn Profiler) {
    let room_for = |kib: u64| {
        let child = call::fork(20, || {
            call::limit(Resource::AddressSpace, address_space_bytes() + (kib << 10));
            let mut paths = Paths::new(kib + 1);
            for _ in 0..200 {
                // Its stacks are new, its blocks may be refused.
                let turns = paths.next();
                refusable(turns, 8);
            }
        });
        let status = call::wait(child);
        assert!(status.success(), "with {kib} KiB of room: {status}");
    };
    (0..64).map(|step| step * 4).chain((0..100).map(|step| step * 128)).for_each(room_for);
    alive();
}

#[inline(never)]
fn refusable(turns: u64, depth: u32) -> usize {
    if depth == 0 {
        let block = try_block(3000);
        if let Some(block) = block {
            give_back(block, 3000);
        }
        return usize::from(block.is_some());
    }
    // Two calls, so that the turns decide the stack.
    let rest = turns >> 1;
    if turns & 1 == 0 { refusable(rest, depth - 1) + 1 } else { refusable(rest, depth - 1) * 2 }
}

/// No descriptor is left, at the start or later.
fn out_of_descriptors(profiler: &'static dyn Profiler) {
    let plan = Plan { segment_bytes: 8 << 10, ..Plan::default() };
    let recording = profiler.start(&plan);
    call::limit(Resource::Descriptors, 3);
    let mut paths = Paths::new(9);
    for _ in 0..30 {
        for _ in 0..30 {
            std::mem::forget(allocate_at(paths.next(), 8, 500));
        }
        if let Ok(recording) = &recording {
            let _ = recording.snapshot();
        }
    }
    call::limit(Resource::Descriptors, u64::MAX);
    if let Ok(recording) = recording {
        recording.finish().expect("the end, with descriptors again");
    }
    alive();
}

/// Every page that is mapped is in memory from then on.
fn locked_memory(profiler: &'static dyn Profiler) {
    let recording = profiler.start(&Plan::default()).expect("a recording starts");
    call::lock_all_memory();
    thread::scope(|scope| {
        for _ in 0..50 {
            let begin = thread::Builder::new().stack_size(64 << 10);
            begin.spawn_scoped(scope, churn).expect("a thread");
        }
    });
    note("resident_mib", resident_bytes() >> 20);
    recording.finish().expect("the end");
    alive();
}

/// Only a process with one thread may do this, as sandboxes do first of all.
fn new_user_namespace(_profiler: &'static dyn Profiler) {
    churn();
    call::unshare(libc::CLONE_NEWUSER).expect("a user namespace");
    churn();
    alive();
}

/// The same, and only then a recording.
fn records_in_a_user_namespace(profiler: &'static dyn Profiler) {
    call::unshare(libc::CLONE_NEWUSER).expect("a user namespace");
    let recording = profiler.start(&Plan::default()).expect("a recording starts");
    churn();
    recording.snapshot().expect("a snapshot");
    recording.finish().expect("the end");
    alive();
}

/// Its root becomes an empty folder: no /proc, no way to the output by its path.
fn changes_root(profiler: &'static dyn Profiler) {
    let recording = profiler.start(&Plan::default()).expect("a recording starts");
    recording.snapshot().expect("a snapshot");
    let jail = folder().join("jail");
    std::fs::create_dir_all(&jail).expect("a folder");
    call::change_root(&jail);
    churn();
    recording.snapshot().expect("a snapshot into the file that is open");
    recording.finish().expect("the end");
    alive();
}

/// Gives up its rights when all is set up, as servers do: what is open goes on, what must be
/// created later cannot be.
fn changes_user(profiler: &'static dyn Profiler) {
    let plan = Plan { segment_bytes: 8 << 10, ..Plan::default() };
    let recording = profiler.start(&plan).expect("a recording starts");
    recording.snapshot().expect("a snapshot");
    call::become_user(65534);
    let mut paths = Paths::new(11);
    for _ in 0..10 {
        for _ in 0..30 {
            std::mem::forget(allocate_at(paths.next(), 8, 500));
        }
        let _ = recording.snapshot();
    }
    drop(recording);
    alive();
}

/// What the filter does with a call that it forbids.
#[derive(Clone, Copy)]
enum Verdict {
    /// Answers EPERM, in every thread.
    Refuse,
    /// Kills the process, if this thread or a later one of its makes the call.
    Kill,
}

/// Calls that the program itself has no need of, and that a recorder may have.
const FORBIDDEN: [libc::c_long; 17] = [
    libc::SYS_openat,
    libc::SYS_read,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_lseek,
    libc::SYS_flock,
    libc::SYS_ftruncate,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_pipe2,
    libc::SYS_eventfd2,
    libc::SYS_ppoll,
    libc::SYS_mincore,
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_readlinkat,
];

/// A sandbox around a program that has all it needs: from here on it allocates and prints.
fn under_filter(profiler: &'static dyn Profiler, verdict: Verdict) {
    let recording = profiler.start(&Plan::default()).expect("a recording starts");
    recording.snapshot().expect("a snapshot");
    install(verdict);
    let mut paths = Paths::new(13);
    for _ in 0..100 {
        churn();
        drop(allocate_at(paths.next(), 8, 70_000));
    }
    if matches!(verdict, Verdict::Refuse) {
        let _ = recording.snapshot();
    }
    std::mem::forget(recording);
    alive();
    call::exit_at_once(0);
}

fn install(verdict: Verdict) {
    let statement =
        |code: u32, value: u32| libc::sock_filter { code: code as u16, jt: 0, jf: 0, k: value };
    // The number of the call is the first word of what the filter is shown.
    let mut program = vec![statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0)];
    for (at, call) in FORBIDDEN.iter().enumerate() {
        program.push(libc::sock_filter {
            code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16,
            jt: (FORBIDDEN.len() - at) as u8,
            jf: 0,
            k: *call as u32,
        });
    }
    let (answer, flags) = match verdict {
        Verdict::Refuse => {
            (libc::SECCOMP_RET_ERRNO | libc::EPERM as u32, libc::SECCOMP_FILTER_FLAG_TSYNC)
        }
        Verdict::Kill => (libc::SECCOMP_RET_KILL_PROCESS, 0),
    };
    program.push(statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW));
    program.push(statement(libc::BPF_RET | libc::BPF_K, answer));
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: takes numbers.
    call::ok(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, "prctl");
    // SAFETY: the filter is read before the call returns.
    let set = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program)
    };
    assert_eq!(set, 0, "seccomp: {}", std::io::Error::last_os_error());
}
