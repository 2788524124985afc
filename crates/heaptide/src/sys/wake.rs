//! Waking the recorder thread: a pipe that signal handlers may write to, and the flags that say what
//! they want.

use core::ffi::c_int;
use std::time::Duration;

use super::descriptors::inode;
use super::errno::{errno, set_errno};
use crate::sync::{AtomicBool, AtomicI32, AtomicU64, Ordering};

static WAKE_FD: AtomicI32 = AtomicI32::new(-1);
static READ_FD: AtomicI32 = AtomicI32::new(-1);
static PIPE_INODE: AtomicU64 = AtomicU64::new(0);
static TERMINATED_BY: AtomicI32 = AtomicI32::new(0);
/// Whether there is a recorder thread that will act on [`TERMINATED_BY`].
static LISTENING: AtomicBool = AtomicBool::new(false);
/// The process is about to end.
static EXITING: AtomicBool = AtomicBool::new(false);

/// From here on a recorder thread acts on signals that ask for the end.
pub(crate) fn listen() {
    TERMINATED_BY.store(0, Ordering::Release);
    LISTENING.store(true, Ordering::Release);
}

/// From here on such signals take their course at once. One that came too late for the recorder
/// is what [`terminated_by`] says.
pub(crate) fn listen_no_more() {
    LISTENING.store(false, Ordering::Release);
}

/// Whether there is a recorder thread that acts on signals that ask for the end.
pub(super) fn is_listening() -> bool {
    LISTENING.load(Ordering::Acquire)
}

/// This signal asks for the end.
pub(super) fn note_termination(signal: c_int) {
    TERMINATED_BY.store(signal, Ordering::Release);
}

/// The signal that asked for the end, if one did.
pub(crate) fn terminated_by() -> Option<c_int> {
    Some(TERMINATED_BY.load(Ordering::Acquire)).filter(|&signal| signal != 0)
}

/// What the recorder thread was woken for; one byte in the pipe each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// There is a request in the channel.
    Request = b'r' as isize,
    /// The snapshot signal came.
    Signal = b's' as isize,
    /// A signal asked for the end.
    Terminate = b't' as isize,
    /// The process is about to end.
    Exit = b'e' as isize,
}

/// The reading end of the pipe that signal handlers write to (the "self-pipe trick").
///
/// There is one pipe for the process's life: a handler that was interrupted before its write must
/// never find its descriptor closed and taken by somebody else's file.
#[derive(Debug)]
pub(crate) struct Waker(c_int);

impl Waker {
    /// The process's pipe, made at the first call (and again after a fork).
    ///
    /// # Errors
    /// The system's error: out of descriptors.
    pub(crate) fn open() -> Result<Self, std::io::Error> {
        if WAKE_FD.load(Ordering::Acquire) < 0 {
            let mut ends = [0; 2];
            // SAFETY: room for two descriptors.
            let made =
                unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK) };
            if made != 0 {
                return Err(std::io::Error::last_os_error());
            }
            PIPE_INODE.store(inode(ends[0]), Ordering::Release);
            READ_FD.store(ends[0], Ordering::Release);
            WAKE_FD.store(ends[1], Ordering::Release);
        }
        let waker = Self(READ_FD.load(Ordering::Acquire));
        // What was meant for an earlier recording.
        while waker.take(|_| ()) {}
        Ok(waker)
    }

    /// Waits until called, or for `timeout_ms` (negative: for ever), and hands every call since
    /// the last time to `answer`.
    pub(crate) fn wait(&self, timeout_ms: c_int, mut answer: impl FnMut(Call)) {
        if !is_our_pipe(self.0) {
            // The program closed descriptors that it did not open: look for requests regularly.
            let wait_ms = if timeout_ms < 0 { 100 } else { timeout_ms.min(100) };
            std::thread::sleep(Duration::from_millis(wait_ms.unsigned_abs().into()));
            let exiting = EXITING.load(Ordering::Acquire) || terminated_by().is_some();
            return answer(if exiting { Call::Exit } else { Call::Request });
        }
        let mut poll = libc::pollfd { fd: self.0, events: libc::POLLIN, revents: 0 };
        // SAFETY: one initialised `pollfd`.
        unsafe { libc::poll(&mut poll, 1, timeout_ms) };
        self.take(answer);
    }

    /// Hands over what is in the pipe; whether there was anything.
    fn take(&self, mut answer: impl FnMut(Call)) -> bool {
        let mut calls = [0u8; 64];
        // SAFETY: `calls` has room for what is asked; the descriptor never blocks.
        let n = unsafe { libc::read(self.0, calls.as_mut_ptr().cast(), calls.len()) };
        for &call in calls.iter().take(usize::try_from(n).unwrap_or(0)) {
            answer(match call {
                b's' => Call::Signal,
                b't' => Call::Terminate,
                b'e' => Call::Exit,
                _ => Call::Request,
            });
        }
        n > 0
    }
}

/// Whether a descriptor still is what we opened, and not closed by the program and taken by one of
/// its own files. Async-signal-safe.
fn is_our_pipe(fd: c_int) -> bool {
    inode(fd) == PIPE_INODE.load(Ordering::Acquire)
}

/// Wakes the recorder thread; async-signal-safe. False if there is no recorder in this process.
pub(crate) fn wake(call: Call) -> bool {
    let fd = WAKE_FD.load(Ordering::Acquire);
    if fd < 0 {
        return false;
    }
    let errno = errno();
    if !is_our_pipe(fd) {
        set_errno(errno);
        return false;
    }
    let byte = call as u8;
    // SAFETY: one readable byte; `write` is async-signal-safe. A full pipe wakes just as well.
    let n = unsafe { libc::write(fd, (&raw const byte).cast(), 1) };
    let full = n < 0 && self::errno() == libc::EAGAIN;
    set_errno(errno);
    n == 1 || full
}

/// Tells the recorder that the process is about to end, even if the pipe is gone.
pub(crate) fn wake_for_exit() {
    EXITING.store(true, Ordering::Release);
    wake(Call::Exit);
}

/// Signals wake nobody from now on: in a forked child the pipe is the parent's.
pub(crate) fn forget_wake() {
    WAKE_FD.store(-1, Ordering::Release);
}
