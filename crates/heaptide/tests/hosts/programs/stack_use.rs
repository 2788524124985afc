//! How much stack an allocation takes, by painting the stack and looking how far the paint is gone;
//! and programs whose stacks are as small as they come.

#![expect(unsafe_code, reason = "makes stacks, and looks at them")]
#![expect(clippy::multiple_unsafe_ops_per_block, reason = "one stack is set up in one block")]

use std::ffi::c_void;
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::load::{Paths, allocate_at};
use crate::{Plan, Profiler, Program, alive, call, note};

pub(crate) const PROGRAMS: &[(&str, Program)] = &[
    ("stack-per-path", stack_per_path),
    ("alternate-stack", alternate_stack),
    ("threads-with-32-kib", |profiler| small_threads(profiler, 32 << 10)),
    ("threads-with-16-kib", |profiler| small_threads(profiler, 16 << 10)),
];

/// How much more than unrecorded a path may take.
const MOST_BYTES: usize = 2048;

/// Large enough that sampling never passes it over, small enough that the C library has it from
/// its heap.
const BLOCK_BYTES: usize = 70_000;

const PAINT: u8 = 0xAA;

/// The bytes of stack below its own frame that `path` uses; `bottom` is where the stack ends.
#[inline(never)]
fn used_by(bottom: usize, path: fn(u64), turns: u64) -> usize {
    let marker = 0u8;
    let here = (&raw const marker).addr();
    let painted = here - 512 - bottom;
    let stack = std::ptr::with_exposed_provenance_mut::<u8>(bottom);
    // SAFETY: the lower part of a mapping that is this thread's stack, below all frames.
    unsafe { std::ptr::write_bytes(stack, PAINT, painted) };
    path(turns);
    // SAFETY: as above; written just now.
    let untouched = (0..painted).take_while(|&at| unsafe { stack.add(at).read() } == PAINT).count();
    here - bottom - untouched
}

/// What it is called, and what takes it, given the turns to a stack.
type Path = (&'static str, fn(u64));

/// What an allocation can meet, each at a stack not seen before unless it says otherwise.
const PATHS: [Path; 7] = [
    ("first_allocation", |_| drop(black_box(Vec::<u8>::with_capacity(BLOCK_BYTES)))),
    ("new_stack", |turns| drop(allocate_at(turns, 12, BLOCK_BYTES))),
    ("known_stack", |_| {
        for _ in 0..3 {
            drop(black_box(Vec::<u8>::with_capacity(BLOCK_BYTES)));
        }
    }),
    ("zeroed", |_| drop(black_box(vec![0u8; BLOCK_BYTES]))),
    ("grows", |turns| {
        let mut block = allocate_at(turns, 12, BLOCK_BYTES);
        black_box(&mut block).reserve_exact(BLOCK_BYTES + 10_000);
    }),
    ("work", |_| heaptide::work("stack", 1)),
    ("tag", |_| drop(heaptide::tag("stack"))),
];

/// One thread's measurements.
struct Measured {
    bottom: usize,
    seed: u64,
    bytes: [usize; PATHS.len()],
}

extern "C" fn measure(measured: *mut c_void) -> *mut c_void {
    // SAFETY: the thread that made this one waits for it.
    let measured = unsafe { &mut *measured.cast::<Measured>() };
    let mut paths = Paths::new(measured.seed);
    for (bytes, (_, path)) in measured.bytes.iter_mut().zip(PATHS) {
        *bytes = used_by(measured.bottom, path, paths.next());
    }
    std::ptr::null_mut()
}

/// The same work on a painted stack, in a thread of its own; the last number is the whole thread,
/// its beginning and end with it.
fn in_thread(seed: u64) -> Vec<usize> {
    let bytes = 256 << 10;
    // SAFETY: a mapping of our own is the new thread's stack, and looked at when it is gone.
    unsafe {
        let (rw, kind) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let stack = libc::mmap(std::ptr::null_mut(), bytes, rw, kind, -1, 0).cast::<u8>();
        let mut measured =
            Measured { bottom: stack.expose_provenance(), seed, bytes: [0; PATHS.len()] };
        let (mut attributes, mut thread) = (std::mem::zeroed(), std::mem::zeroed());
        libc::pthread_attr_init(&mut attributes);
        libc::pthread_attr_setstack(&mut attributes, stack.cast(), bytes);
        let made =
            libc::pthread_create(&mut thread, &attributes, measure, (&raw mut measured).cast());
        assert_eq!(made, 0);
        libc::pthread_join(thread, std::ptr::null_mut());
        measured.bytes.to_vec()
    }
}

fn stack_per_path(profiler: &'static dyn Profiler) {
    // What the inner allocator takes the first time is not ours: the dearest of a few runs.
    let dearest = |seeds: std::ops::Range<u64>| {
        let runs: Vec<_> = seeds.map(in_thread).collect();
        (0..PATHS.len()).map(move |path| runs.iter().map(|run| run[path]).max().unwrap_or(0))
    };
    let unrecorded: Vec<_> = dearest(1..4).collect();
    let recording = profiler.start(&Plan::default()).expect("a recording starts");
    let recorded: Vec<_> = dearest(11..14).collect();
    recording.finish().expect("the end");
    let mut over = Vec::new();
    for ((name, _), (before, after)) in PATHS.iter().zip(unrecorded.iter().zip(recorded)) {
        note(name, format!("{before}..{after}"));
        if after.saturating_sub(*before) > MOST_BYTES {
            over.push(format!("{name} takes {} bytes more", after - before));
        }
    }
    assert!(over.is_empty(), "{}", over.join(", "));
    alive();
}

static TURNS: AtomicUsize = AtomicUsize::new(0);

extern "C" fn allocate_in_handler(_signal: i32) {
    let turns = TURNS.fetch_add(1, Relaxed);
    drop(black_box(allocate_at(turns as u64, 4, BLOCK_BYTES)));
}

/// Handlers that allocate on the alternate stack that the standard library gave to each thread,
/// which is 8 KiB on most machines.
fn alternate_stack(profiler: &'static dyn Profiler) {
    call::handle_on_alternate_stack(libc::SIGUSR1, allocate_in_handler);
    let recording = profiler.start(&Plan::default()).expect("a recording starts");
    let handle_some = || (0..16).for_each(|_| call::raise(libc::SIGUSR1));
    handle_some();
    for _ in 0..4 {
        std::thread::spawn(handle_some).join().expect("a thread");
    }
    recording.finish().expect("the end");
    alive();
}

extern "C" fn allocate_in_thread(seed: *mut c_void) -> *mut c_void {
    let mut paths = Paths::new(seed.addr() as u64);
    for _ in 0..20 {
        drop(allocate_at(paths.next(), 6, BLOCK_BYTES));
    }
    std::ptr::null_mut()
}

/// Threads with stacks as C libraries make them for small tasks.
fn small_threads(profiler: &'static dyn Profiler, stack_bytes: usize) {
    let recording = profiler.start(&Plan::default()).expect("a recording starts");
    for seed in 1..50 {
        // SAFETY: the attributes are set before use; the thread takes a number for a pointer.
        let made = unsafe {
            let (mut attributes, mut thread) = (std::mem::zeroed(), std::mem::zeroed());
            libc::pthread_attr_init(&mut attributes);
            libc::pthread_attr_setstacksize(&mut attributes, stack_bytes);
            let seed = std::ptr::without_provenance_mut(seed);
            let made = libc::pthread_create(&mut thread, &attributes, allocate_in_thread, seed);
            if made == 0 {
                libc::pthread_join(thread, std::ptr::null_mut());
            }
            made
        };
        assert_eq!(made, 0, "a thread with {stack_bytes} bytes of stack");
    }
    recording.finish().expect("the end");
    alive();
}
