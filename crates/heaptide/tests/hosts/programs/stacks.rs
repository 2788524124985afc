//! Programs whose stacks are not the ones that the system gave them.

#![expect(unsafe_code, reason = "makes stacks, and switches to them")]
#![expect(clippy::multiple_unsafe_ops_per_block, reason = "one stack is set up in one block")]

use std::hint::black_box;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

use crate::load::allocate_at;
use crate::{Plan, Profiler, Program, alive, call};

pub(crate) const PROGRAMS: &[(&str, Program)] = &[
    ("coroutines", coroutines),
    #[cfg(target_env = "gnu")]
    ("contexts", contexts),
    #[cfg(target_arch = "x86_64")]
    ("own-trampoline", |profiler| trampoline(profiler, on_stack)),
    #[cfg(target_arch = "x86_64")]
    ("lying-tables", |profiler| trampoline(profiler, on_stack_with_lies)),
    ("stack-overflow", |_| overflow()),
    ("stack-overflow-in-thread", |_| {
        let _ = std::thread::spawn(overflow).join();
    }),
    ("allocates-at-the-end-of-a-stack", |_| at_the_end_of_a_stack()),
];

/// Twenty coroutines allocate on stacks of their own; the crate's switch has an unwind entry that
/// says "signal frame", because a return address there need not follow a call.
fn coroutines(profiler: &'static dyn Profiler) {
    let recording = profiler.start(&Plan::default()).expect("a recording starts");
    let mut all = Vec::new();
    for i in 0..20usize {
        let body = move |yielder: &Yielder<(), Vec<u8>>, ()| {
            yielder.suspend(black_box(vec![1u8; 1000 + i]));
            drop(allocate_at(i as u64, 5, 70_000));
        };
        let stack = DefaultStack::new(64 << 10).expect("memory");
        let mut coroutine = Coroutine::with_stack(stack, body);
        if let CoroutineResult::Yield(block) = coroutine.resume(()) {
            std::mem::forget(block);
        }
        all.push(coroutine);
    }
    for mut coroutine in all {
        coroutine.resume(());
    }
    recording.finish().expect("the end");
    alive();
}

/// The same with what the C library has for it.
#[cfg(target_env = "gnu")]
fn contexts(profiler: &'static dyn Profiler) {
    static mut MAIN: std::mem::MaybeUninit<libc::ucontext_t> = std::mem::MaybeUninit::uninit();
    static mut OTHER: std::mem::MaybeUninit<libc::ucontext_t> = std::mem::MaybeUninit::uninit();
    extern "C" fn body() {
        for turns in 0..50 {
            drop(allocate_at(turns, 6, 70_000));
        }
    }
    let recording = profiler.start(&Plan::default()).expect("a recording starts");
    let mut stack = vec![0u8; 64 << 10];
    // SAFETY: one thread, one context beside its own, whose stack outlives it.
    unsafe {
        let (main, other) = ((&raw mut MAIN).cast(), (&raw mut OTHER).cast::<libc::ucontext_t>());
        libc::getcontext(other);
        (*other).uc_stack.ss_sp = stack.as_mut_ptr().cast();
        (*other).uc_stack.ss_size = stack.len();
        (*other).uc_link = main;
        libc::makecontext(other, body, 0);
        libc::swapcontext(main, other);
    }
    recording.finish().expect("the end");
    alive();
}

// Both call the function in `rdi` on the stack whose top is `rsi`. The first has true unwind tables
// with the mark of a signal frame, like switches of coroutine libraries. The second's tables say
// that the caller's frame is where nothing is mapped.
#[cfg(target_arch = "x86_64")]
std::arch::global_asm!(
    ".global host_on_stack",
    "host_on_stack:",
    ".cfi_startproc",
    ".cfi_signal_frame",
    "push rbp",
    ".cfi_adjust_cfa_offset 8",
    "mov rbp, rsp",
    ".cfi_def_cfa rbp, 16",
    ".cfi_offset rbp, -16",
    "mov rsp, rsi",
    "call rdi",
    "mov rsp, rbp",
    "pop rbp",
    ".cfi_def_cfa rsp, 8",
    "ret",
    ".cfi_endproc",
    ".global host_on_stack_with_lies",
    "host_on_stack_with_lies:",
    ".cfi_startproc",
    ".cfi_signal_frame",
    "push rbp",
    "push r12",
    "mov rbp, rsp",
    "mov r12, 0x10000",
    ".cfi_def_cfa r12, 64",
    ".cfi_offset rbp, -16",
    "mov rsp, rsi",
    "call rdi",
    "mov rsp, rbp",
    "pop r12",
    "pop rbp",
    ".cfi_def_cfa rsp, 8",
    "ret",
    ".cfi_endproc",
);

#[cfg(target_arch = "x86_64")]
unsafe extern "C" {
    #[link_name = "host_on_stack"]
    fn on_stack(body: extern "C" fn(), top: *mut u8);
    #[link_name = "host_on_stack_with_lies"]
    fn on_stack_with_lies(body: extern "C" fn(), top: *mut u8);
}

/// A generator of its own making: the stack ends where its mapping does, and nothing lies behind.
#[cfg(target_arch = "x86_64")]
fn trampoline(
    profiler: &'static dyn Profiler,
    switch: unsafe extern "C" fn(extern "C" fn(), *mut u8),
) {
    extern "C" fn body() {
        for turns in 0..20 {
            drop(allocate_at(turns, 5, 70_000));
        }
    }
    let recording = profiler.start(&Plan::default()).expect("a recording starts");
    let bytes = 128 << 10;
    // SAFETY: a mapping of our own, whose last page is out of bounds; `body` neither unwinds nor
    // uses as much stack as there is.
    unsafe {
        let (rw, kind) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let stack = libc::mmap(std::ptr::null_mut(), bytes, rw, kind, -1, 0).cast::<u8>();
        let top = stack.add(bytes - 4096);
        call::ok(libc::mprotect(top.cast(), 4096, libc::PROT_NONE), "mprotect");
        switch(body, top);
    }
    recording.finish().expect("the end");
    alive();
}

#[expect(unconditional_recursion, reason = "that is how a stack overflows")]
fn overflow() {
    #[inline(never)]
    fn deeper(n: u64) -> u64 {
        // Not at each level: a hundred thousand stacks, each as deep, would take a minute.
        if n.is_multiple_of(256) {
            drop(black_box(vec![1u8; 64]));
        }
        black_box(deeper(black_box(n + 1)) + 1)
    }
    black_box(deeper(0));
}

/// Allocates where a thread's stack has `HOST_ROOM` bytes left.
fn at_the_end_of_a_stack() {
    let room: usize =
        std::env::var("HOST_ROOM").ok().and_then(|room| room.parse().ok()).unwrap_or(0);
    let thread = std::thread::Builder::new().stack_size(64 << 10);
    let thread = thread.spawn(move || allocate_above(call::lowest_of_stack() + room));
    thread.expect("a thread").join().expect("a block");
    alive();
}

/// The deepest frame above an address allocates.
fn allocate_above(address: usize) -> u64 {
    #[inline(never)]
    fn deeper(address: usize, frame_bytes: usize, before: usize) -> u64 {
        let marker = 0u8;
        let here = (&raw const marker).addr();
        let frame_bytes = frame_bytes.max(before.saturating_sub(here));
        if here < address + frame_bytes {
            return *black_box(Box::new(1));
        }
        black_box(deeper(address, frame_bytes, here)) + 1
    }
    deeper(address, 0, 0)
}
