//! Onto a stack of our own, and back.

use core::ffi::c_void;
use core::hint::black_box;
use core::mem::MaybeUninit;

#[cfg(target_arch = "aarch64")]
use super::aarch64::switch_stack;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
use super::other::switch_stack;
#[cfg(target_arch = "x86_64")]
use super::x86_64::switch_stack;
use crate::globals::{ARENA, SCRATCH_STACKS};
use crate::sys;
use crate::thread::scratch_stack::Claimed;

/// Does `work` on a stack of our own, with every signal blocked, so that no handler of the program
/// finds itself there; `None` if there is no memory for one.
///
/// Two system calls, and none in a handler that comes meanwhile: it runs when we are back. `work`
/// must not call what is the program's, such as its allocator: that may use the stack as it likes, and
/// look at where it is.
pub(crate) fn on_scratch_stack<R>(work: impl FnOnce() -> R) -> Option<R> {
    run_out_of_stack_now();
    let mask = sys::block_signals();
    let claimed = Claimed::claim(&SCRATCH_STACKS, &ARENA);
    let result = claimed.as_ref().and_then(|stack| work_on(stack, work));
    drop(claimed);
    sys::restore_signals(mask);
    result
}

/// Does `work`, for which a caller's stack has room enough but in a debug build: that one keeps what every
/// function ever held on it. There it is done on a stack of our own, if there is memory for one.
pub(crate) fn with_room_in_debug_builds<R>(work: impl Fn() -> R) -> R {
    let done = if cfg!(debug_assertions) { on_scratch_stack(&work) } else { None };
    done.unwrap_or_else(work)
}

/// What the way to a stack of our own and back takes of the caller's, at most, in a debug build.
const WAY_BYTES: usize = 640;

/// Touches the caller's stack as far down as it will be used. If it ends before, that is found here, where
/// the program's handler of `SIGSEGV` still runs, such as the standard library's, which says that a stack
/// has overflowed; while signals are blocked the kernel would end the process without a word.
#[inline(never)]
fn run_out_of_stack_now() {
    let way = [const { MaybeUninit::<u8>::uninit() }; WAY_BYTES];
    let lowest = black_box(way.as_ptr());
    // SAFETY: the first byte of the local array, read as what may be uninitialised.
    black_box(unsafe { lowest.read_volatile() });
}

/// What is to be done, and what came of it.
struct Job<F, R> {
    work: Option<F>,
    result: Option<R>,
}

fn work_on<F: FnOnce() -> R, R>(stack: &Claimed, work: F) -> Option<R> {
    let mut job = Job { work: Some(work), result: None };
    // SAFETY: a mapped stack that is ours alone while it is claimed, and a function that takes what
    // it is given here. Nothing unwinds through it.
    unsafe { switch_stack(stack.top(), perform::<F, R>, (&raw mut job).cast()) };
    job.result
}

unsafe extern "C" fn perform<F: FnOnce() -> R, R>(job: *mut c_void) {
    // SAFETY: `work_on` passes a job of this type, and waits.
    let job = unsafe { &mut *job.cast::<Job<F, R>>() };
    job.result = job.work.take().map(|work| work());
}
