//! Where a thread's stack begins, for the C library whose own code has no unwind tables.
//!
//! musl is built without them, so every stack seems to be cut in the code that calls `main` or a
//! thread's function. Of that code it is known that it stands at the very beginning of a stack, and
//! that nothing called it.

use crate::sync::{AtomicU64, Ordering};

/// Where the kernel put the arguments of the program, in the first thread; 0 if that is not known.
static FIRST_STACK: AtomicU64 = AtomicU64::new(0);
/// Bytes of the thread-local variables of all modules, which musl puts at the beginning of a stack.
static THREAD_LOCAL_BYTES: AtomicU64 = AtomicU64::new(0);
/// More than the frames of musl's code that calls `main` (`_start`, `__libc_start_main` and its second
/// stage, a few words each) or a thread's function (and what that is told, below 200 bytes). Less than
/// it takes to hide a frame worth knowing of somebody else's code without tables.
const START_UP_BYTES: u64 = 512;

/// Whether whatever code runs with its stack pointer at `sp` is what the C library starts a thread
/// with, where that cannot be told from the unwind tables. Async-signal-safe.
pub(crate) fn stack_begins_near(sp: u64) -> bool {
    if cfg!(not(target_env = "musl")) {
        return false;
    }
    let first = FIRST_STACK.load(Ordering::Relaxed);
    // SAFETY: reads a register.
    let own = unsafe { libc::pthread_self() } as u64;
    let to_own = START_UP_BYTES + THREAD_LOCAL_BYTES.load(Ordering::Relaxed);
    let is_near = |start: u64, bytes: u64| start.checked_sub(sp).is_some_and(|gap| gap <= bytes);
    is_near(first, START_UP_BYTES) || is_near(own, to_own)
}

/// Learns where the first thread's stack begins. Not called from the hook.
pub(crate) fn note_first_stack() {
    if cfg!(target_env = "musl") && FIRST_STACK.load(Ordering::Relaxed) == 0 {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        FIRST_STACK.store(first_stack(&stat).unwrap_or(0), Ordering::Relaxed);
    }
}

/// `startstack`, the 28th field (`proc(5)`): the program's name, the second, may have spaces in it.
fn first_stack(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(28 - 3)?.parse().ok()
}

/// A module was met that has so many bytes of thread-local variables.
pub(crate) fn note_thread_locals(bytes: u64) {
    THREAD_LOCAL_BYTES.fetch_add(bytes, Ordering::Relaxed);
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "the interpreter has no /proc")]
    fn the_first_stack_begins_below_what_the_kernel_put_there() {
        let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux has /proc");
        let start = first_stack(&stat).expect("the field is there");
        // SAFETY: a pure query.
        let random = unsafe { libc::getauxval(libc::AT_RANDOM) };
        assert!((1..1 << 22).contains(&(random - start)), "{start:#x} {random:#x}");
    }
}
