//! The hook uses at most two kilobytes of the caller's stack, on every path (docs/SAFETY.md, rule 11):
//! a coroutine, a thread with the smallest stack there is, a handler on the standard library's signal
//! stack must not die of being watched.
//!
//! Each path is taken first thing in a thread whose stack was painted, in a process that records and
//! in one that does not.

#![expect(unsafe_code, reason = "threads on stacks of our own making, signal stacks")]

mod rig;

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc, realloc};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::process::ExitCode;
use std::ptr;
use std::sync::atomic::AtomicPtr;
use std::sync::atomic::Ordering::Relaxed;

use heaptide::{Heaptide, Recorder};
use rig::recording::Recording;
use rig::{program, scratch};

#[global_allocator]
static HEAP: Heaptide = Heaptide::new();

fn main() -> ExitCode {
    rig::main(
        &[
            ("exact", || check("exact")),
            ("every_block_sampled", || check("sampled:1")),
            ("the_smallest_thread_and_a_signal_stack_suffice", the_smallest_stacks_suffice),
        ],
        &[("measures", measures), ("small stacks", small_stacks)],
    )
}

/// What the hook may use, of the caller's stack.
const MOST_BYTES: usize = 2048;

/// A thread's first and only call, and a name for it.
type Path = (&'static str, extern "C" fn(*mut libc::c_void) -> *mut libc::c_void);

const PATHS: [Path; 10] = [
    ("nothing", nothing),
    ("an allocation", allocates),
    ("a stack known by now", allocates_again),
    ("a zeroed one", allocates_zeroed),
    ("a free", frees),
    ("a resize", resizes),
    ("a resize of a block from before", resizes_early),
    ("a tag", tags),
    ("a new tag and its blocks", tags_anew),
    ("work", works),
];

const LAYOUT: Layout = Layout::new::<[u64; 5]>();
/// A block that another thread made.
static BLOCK: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());
/// A block that was made before the recording.
static EARLY: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());

extern "C" fn nothing(_: *mut libc::c_void) -> *mut libc::c_void {
    ptr::null_mut()
}

extern "C" fn allocates(_: *mut libc::c_void) -> *mut libc::c_void {
    // SAFETY: not of size zero.
    black_box(unsafe { alloc(LAYOUT) });
    ptr::null_mut()
}

extern "C" fn allocates_again(_: *mut libc::c_void) -> *mut libc::c_void {
    for _ in 0..3 {
        // SAFETY: not of size zero.
        black_box(unsafe { alloc(LAYOUT) });
    }
    ptr::null_mut()
}

extern "C" fn allocates_zeroed(_: *mut libc::c_void) -> *mut libc::c_void {
    // SAFETY: not of size zero.
    black_box(unsafe { alloc_zeroed(LAYOUT) });
    ptr::null_mut()
}

extern "C" fn frees(_: *mut libc::c_void) -> *mut libc::c_void {
    // SAFETY: made with this layout, and nobody else's.
    unsafe { dealloc(BLOCK.load(Relaxed), LAYOUT) };
    ptr::null_mut()
}

extern "C" fn resizes(_: *mut libc::c_void) -> *mut libc::c_void {
    // SAFETY: made with this layout, and nobody else's.
    black_box(unsafe { realloc(BLOCK.load(Relaxed), LAYOUT, 400) });
    ptr::null_mut()
}

extern "C" fn resizes_early(_: *mut libc::c_void) -> *mut libc::c_void {
    let early = EARLY.swap(ptr::null_mut(), Relaxed);
    // SAFETY: made with this layout, and nobody else's.
    black_box(unsafe { realloc(early, LAYOUT, 400) });
    ptr::null_mut()
}

extern "C" fn tags(_: *mut libc::c_void) -> *mut libc::c_void {
    drop(heaptide::tag("known"));
    ptr::null_mut()
}

extern "C" fn tags_anew(_: *mut libc::c_void) -> *mut libc::c_void {
    let _tag = heaptide::tag("new");
    // SAFETY: not of size zero.
    black_box(unsafe { alloc(LAYOUT) });
    ptr::null_mut()
}

extern "C" fn works(_: *mut libc::c_void) -> *mut libc::c_void {
    heaptide::work("requests", 1);
    ptr::null_mut()
}

/// Bytes of its stack that a thread touched.
fn used_by(path: Path) -> usize {
    const STACK_BYTES: usize = 256 << 10;
    const PAINT: u8 = 0xAA;
    // SAFETY: not of size zero.
    BLOCK.store(unsafe { alloc(LAYOUT) }, Relaxed);
    let mut stack = vec![PAINT; STACK_BYTES];
    run_on(stack.as_mut_ptr(), STACK_BYTES, path.1);
    STACK_BYTES - stack.iter().take_while(|&&byte| byte == PAINT).count()
}

/// Runs a thread on this stack to its end.
fn run_on(
    stack: *mut u8,
    bytes: usize,
    body: extern "C" fn(*mut libc::c_void) -> *mut libc::c_void,
) {
    // SAFETY: all zero is a place for attributes.
    let mut attributes: libc::pthread_attr_t = unsafe { std::mem::zeroed() };
    // SAFETY: writable.
    assert_eq!(unsafe { libc::pthread_attr_init(&mut attributes) }, 0);
    // SAFETY: initialised, and the stack outlives the thread, which ends below.
    let set = unsafe { libc::pthread_attr_setstack(&mut attributes, stack.cast(), bytes) };
    assert_eq!(set, 0);
    let mut thread = 0;
    // SAFETY: as above; the body takes no argument.
    let made = unsafe { libc::pthread_create(&mut thread, &attributes, body, ptr::null_mut()) };
    assert_eq!(made, 0);
    // SAFETY: a thread that nobody else waits for.
    assert_eq!(unsafe { libc::pthread_join(thread, ptr::null_mut()) }, 0);
}

const OUT: &str = "RIG_OUT";

fn recorder() -> Option<Recorder> {
    // SAFETY: not of size zero.
    EARLY.store(unsafe { alloc(LAYOUT) }, Relaxed);
    let path = std::env::var_os(OUT)?;
    Some(Recorder::builder().output(path).start().expect("a recording starts"))
}

/// Prints what each path uses.
fn measures() {
    let recorder = recorder();
    drop(heaptide::tag("known"));
    for path in PATHS {
        println!("{}:{}", path.0, used_by(path));
    }
    drop(recorder);
}

fn measure(mode: &str) -> BTreeMap<String, usize> {
    let mut command = program("measures");
    command.env("HEAPTIDE_MODE", mode);
    if mode != "off" {
        command.env(OUT, scratch("stack_use"));
    }
    let output = command.output().expect("the program starts");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    let numbers = text.lines().filter_map(|line| line.split_once(':'));
    numbers.map(|(name, bytes)| (name.to_owned(), bytes.parse().expect("a number"))).collect()
}

fn check(mode: &str) {
    let (without, with) = (measure("off"), measure(mode));
    assert_eq!(without.len(), PATHS.len());
    let mut over = Vec::new();
    for (path, &bytes) in &with {
        let more = bytes.saturating_sub(without[path]);
        eprintln!("{mode}: {path} takes {more} bytes more than without, {bytes} in all");
        if more > MOST_BYTES {
            over.push(path);
        }
    }
    assert!(over.is_empty(), "more than {MOST_BYTES} bytes: {over:?}");
}

/// What a thread may have at least, as the C library says; in a debug build, the standard library's
/// own frames fill half of it.
const SMALL_BYTES: usize = 16 << 10;
/// The standard library's signal stack, on a machine without large vector registers.
const SIGNAL_STACK_BYTES: usize = 8 << 10;

extern "C" fn handle(_: libc::c_int) {
    allocates(ptr::null_mut());
}

extern "C" fn signalled(_: *mut libc::c_void) -> *mut libc::c_void {
    // SAFETY: takes a plain number; the handler is installed.
    unsafe { libc::raise(libc::SIGUSR1) };
    ptr::null_mut()
}

/// A mapping with nothing mapped below it.
fn guarded(bytes: usize) -> *mut u8 {
    const GUARD_BYTES: usize = 1 << 20;
    let (rights, kind) = (libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: replaces no mapping.
    let at = unsafe { libc::mmap(ptr::null_mut(), GUARD_BYTES + bytes, rights, kind, -1, 0) };
    assert_ne!(at, libc::MAP_FAILED);
    // SAFETY: inside the mapping.
    let stack = unsafe { at.byte_add(GUARD_BYTES) };
    // SAFETY: the upper part of a mapping of ours.
    let set = unsafe { libc::mprotect(stack, bytes, libc::PROT_READ | libc::PROT_WRITE) };
    assert_eq!(set, 0);
    stack.cast()
}

fn small_stacks() {
    let recorder = recorder().expect("the test says where to");
    for (_, path) in PATHS {
        // SAFETY: not of size zero.
        BLOCK.store(unsafe { alloc(LAYOUT) }, Relaxed);
        run_on(guarded(SMALL_BYTES), SMALL_BYTES, path);
    }
    extern "C" fn on_signal_stack(_: *mut libc::c_void) -> *mut libc::c_void {
        let stack = libc::stack_t {
            ss_sp: guarded(SIGNAL_STACK_BYTES).cast(),
            ss_flags: 0,
            ss_size: SIGNAL_STACK_BYTES,
        };
        // SAFETY: a mapped stack that stays.
        assert_eq!(unsafe { libc::sigaltstack(&stack, ptr::null_mut()) }, 0);
        signalled(ptr::null_mut())
    }
    // SAFETY: all zero is a valid sigaction.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handle as extern "C" fn(libc::c_int) as libc::sighandler_t;
    action.sa_flags = libc::SA_ONSTACK;
    // SAFETY: the signal comes only from `raise`, outside of any allocation.
    assert_eq!(unsafe { libc::sigaction(libc::SIGUSR1, &action, ptr::null_mut()) }, 0);
    const STACK_BYTES: usize = 256 << 10;
    run_on(guarded(STACK_BYTES), STACK_BYTES, on_signal_stack);
    recorder.finish().expect("the end");
}

fn the_smallest_stacks_suffice() {
    let path = scratch("small_stacks");
    let output = program("small stacks").env(OUT, &path).output().expect("the program starts");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(Recording::read(&path).last().dropped.blocks, 0);
}
