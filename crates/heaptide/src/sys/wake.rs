//! Waking the recorder thread: one word of flags that say what is wanted, and a futex on it.
//!
//! The flags are believed, the wake-up is only a hint: the thread looks at the word each time round
//! and sleeps only while it is empty, so however many wake-ups come at once, none is lost. There is no
//! descriptor that the program could close or run out of. A copied process has a word of its own, so
//! what is asked for there cannot reach the recorder of the process it was copied from.

use core::ffi::c_int;
use std::time::Duration;

use super::copies;
use crate::sync::{AtomicBool, AtomicI32, AtomicU32, Ordering};

/// What is wanted, as [`Want`]s added up; the recorder thread sleeps on this word.
static WANTED: AtomicU32 = AtomicU32::new(0);
static TERMINATED_BY: AtomicI32 = AtomicI32::new(0);
/// Whether there is a recorder thread that will act on [`TERMINATED_BY`].
static LISTENING: AtomicBool = AtomicBool::new(false);

/// What the recorder thread can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Want {
    /// To answer the requests in its channel.
    Answer = 1,
    /// A snapshot, by signal.
    Snapshot = 2,
    /// The last snapshot, since a signal ends the process.
    Terminate = 4,
    /// The last snapshot, since the process ends by itself.
    Exit = 8,
}

/// Everything that was wanted at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted(u32);

impl Wanted {
    pub(crate) fn has(self, want: Want) -> bool {
        self.0 & want as u32 != 0
    }
}

/// From here on a recorder thread of this process acts on what is wanted. What was meant for an
/// earlier recording is forgotten.
pub(crate) fn listen() {
    TERMINATED_BY.store(0, Ordering::Release);
    WANTED.store(0, Ordering::Release);
    copies::own();
    LISTENING.store(true, Ordering::Release);
}

/// From here on signals that ask for the end take their course at once. One that came too late for
/// the recorder is what [`terminated_by`] says.
pub(crate) fn listen_no_more() {
    LISTENING.store(false, Ordering::SeqCst);
}

/// Whether there is a recorder thread in this process. Async-signal-safe.
pub(super) fn is_listening() -> bool {
    LISTENING.load(Ordering::SeqCst) && copies::is_owner()
}

/// This signal asks for the end; whether the recorder thread will see to it. Async-signal-safe.
pub(super) fn terminate(signal: c_int) -> bool {
    if !copies::is_owner() {
        return false;
    }
    // First this, then the question: the recorder first says that it listens no more, and then looks
    // here, so that one of the two sees the other.
    TERMINATED_BY.store(signal, Ordering::SeqCst);
    futex::wake_all(TERMINATED_BY.as_ptr().cast());
    let listening = LISTENING.load(Ordering::SeqCst);
    if listening {
        wake(Want::Terminate);
    }
    listening
}

/// Waits until a signal asked for the end; which.
pub(crate) fn wait_for_termination() -> c_int {
    loop {
        if let Some(signal) = terminated_by() {
            return signal;
        }
        futex::wait_while_zero(TERMINATED_BY.as_ptr().cast(), None);
    }
}

/// The signal that asked for the end, if one did.
pub(crate) fn terminated_by() -> Option<c_int> {
    Some(TERMINATED_BY.load(Ordering::SeqCst)).filter(|&signal| signal != 0)
}

/// Asks the recorder thread of this process for something. Async-signal-safe; changes no `errno`.
pub(crate) fn wake(want: Want) {
    WANTED.fetch_or(want as u32, Ordering::AcqRel);
    futex::wake_all(WANTED.as_ptr());
}

/// Waits until something is wanted, or for `timeout`; takes what is.
pub(crate) fn wait(timeout: Option<Duration>) -> Wanted {
    if WANTED.load(Ordering::Acquire) == 0 {
        // Whatever ends the wait, the word says why.
        futex::wait_while_zero(WANTED.as_ptr(), timeout);
    }
    Wanted(WANTED.swap(0, Ordering::AcqRel))
}

/// Forgets what is wanted: in a forked child it was meant for the parent.
pub(crate) fn forget() {
    LISTENING.store(false, Ordering::Release);
    WANTED.store(0, Ordering::Release);
}

/// `futex(2)` on a word of this process.
#[cfg(target_os = "linux")]
mod futex {
    use std::time::Duration;

    use super::super::errno::{errno, set_errno};

    pub(super) fn wake_all(word: *const u32) {
        let before = errno();
        // SAFETY: the kernel only looks for threads that sleep on the address.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                word,
                libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
                i32::MAX,
            )
        };
        set_errno(before);
    }

    pub(super) fn wait_while_zero(word: *const u32, timeout: Option<Duration>) {
        let timeout = timeout.map(|timeout| libc::timespec {
            // As long as any clock is ever waited for, on systems with small clocks too.
            tv_sec: timeout.as_secs().min(i32::MAX as u64) as _,
            tv_nsec: timeout.subsec_nanos().into(),
        });
        let timeout = timeout.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
        // SAFETY: the kernel reads the word if it can, and the timeout is null or an initialised
        // `timespec`.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                word,
                libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
                0u32,
                timeout,
            )
        };
    }
}

/// Where there is no futex, the recorder looks at the word this often.
#[cfg(not(target_os = "linux"))]
mod futex {
    use std::time::Duration;

    const LOOK_EVERY: Duration = Duration::from_millis(10);

    pub(super) fn wake_all(_: *const u32) {}

    pub(super) fn wait_while_zero(_: *const u32, timeout: Option<Duration>) {
        std::thread::sleep(timeout.map_or(LOOK_EVERY, |timeout| timeout.min(LOOK_EVERY)));
    }
}
