//! This process: its environment, id and clock, and who is told when a thread ends,
//! when the process does, and when it forks.

use core::ffi::{CStr, c_void};
use core::ptr::NonNull;

use super::privilege::is_privileged_start;
use super::thread_key::ThreadKey;

/// The value of an environment variable, without allocating.
///
/// The reference stays good as long as nobody changes the environment; callers look at it at once,
/// at the process's start.
/// A process with rights that whoever started it lacks has no environment: it would be told by anyone
/// which files to write.
pub(crate) fn environment(name: &CStr) -> Option<&'static CStr> {
    if is_privileged_start() {
        return None;
    }
    // SAFETY: `name` is a C string.
    let value = NonNull::new(unsafe { libc::getenv(name.as_ptr()) })?;
    // SAFETY: `getenv` returned a C string; see above for how long it stays.
    Some(unsafe { CStr::from_ptr(value.as_ptr()) })
}

/// This process's id.
pub(crate) fn process_id() -> u32 {
    // SAFETY: always succeeds.
    let pid = unsafe { libc::getpid() };
    pid.unsigned_abs()
}

/// Bits that differ from process to process, without a system call where the kernel left some.
pub(crate) fn start_up_entropy() -> u64 {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: a pure query.
        let at = unsafe { libc::getauxval(libc::AT_RANDOM) };
        let at = core::ptr::with_exposed_provenance::<u64>(at as usize);
        if !at.is_null() {
            // SAFETY: the kernel left sixteen random bytes there, for the process's life.
            return unsafe { at.read_unaligned() };
        }
    }
    u64::from(process_id()) << 32 ^ monotonic_ns()
}

/// Nanoseconds on the clock that snapshots carry.
pub(crate) fn monotonic_ns() -> u64 {
    clock_ns(libc::CLOCK_MONOTONIC)
}

/// Processor time of all threads of this process that there were.
pub(crate) fn process_cpu_ns() -> u64 {
    clock_ns(libc::CLOCK_PROCESS_CPUTIME_ID)
}

/// Processor time of the calling thread.
pub(crate) fn thread_cpu_ns() -> u64 {
    clock_ns(libc::CLOCK_THREAD_CPUTIME_ID)
}

fn clock_ns(clock: libc::clockid_t) -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is writable; the three clocks that are asked for exist on Linux and macOS.
    unsafe { libc::clock_gettime(clock, &mut now) };
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}

// --- the end of a thread ---------------------------------------------------------------------

static AT_THREAD_EXIT: ThreadKey = ThreadKey::new();

/// Has `at_exit` called with what the thread passed to [`at_thread_exit`]. Called once, early, so
/// that the key is one of the first, whose values are set without allocating.
pub(crate) fn watch_thread_exits(at_exit: unsafe extern "C" fn(*mut c_void)) {
    // Without one, blocks are not handed on: no harm.
    AT_THREAD_EXIT.make(Some(at_exit));
}

/// Asks for the function above to be called with `value` when this thread ends.
pub(crate) fn at_thread_exit<T: Sync>(value: &'static T) {
    AT_THREAD_EXIT.set(core::ptr::from_ref(value).cast());
}

// --- the end of the process, and its copies --------------------------------------------------

/// Has `at_exit` called when the process ends by `exit` or by returning from `main`.
pub(crate) fn watch_process_exit(at_exit: extern "C" fn()) {
    // SAFETY: a plain function of the expected shape.
    unsafe { libc::atexit(at_exit) };
}

/// Has `before` called in the thread that forks, and after it `in_parent` and `in_child`, before `fork`
/// returns there.
pub(crate) fn watch_forks(
    before: unsafe extern "C" fn(),
    in_parent: unsafe extern "C" fn(),
    in_child: unsafe extern "C" fn(),
) {
    // SAFETY: plain functions of the expected shape.
    unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
}

/// How many threads the process has; `None` if the kernel does not say. Async-signal-safe.
pub(crate) fn n_threads() -> Option<u64> {
    // SAFETY: all-zero is a valid `stat`.
    let mut stat: libc::stat = unsafe { core::mem::zeroed() };
    // SAFETY: the path is a C string, and `stat` writable.
    let got = unsafe { libc::stat(c"/proc/self/task".as_ptr(), &mut stat) };
    // A directory has a link for each directory in it, and two more.
    let n_links = u128::from(stat.st_nlink);
    u64::try_from(n_links.saturating_sub(2)).ok().filter(|_| got == 0)
}
