//! One line to the program's standard error, which never harms the program: no allocation, no lock,
//! no wait, no signal.

use core::cell::Cell;
use core::ffi::c_int;
use std::os::fd::AsRawFd;

use super::descriptors::standard_error_of_process;

thread_local! {
    /// This thread has a table of descriptors of its own, in which number 2 is nothing.
    static IS_APART: Cell<bool> = const { Cell::new(false) };
}

/// From here on this thread's complaints go to the process's standard error, not to its own.
pub(crate) fn complain_for_process() {
    let _ = IS_APART.try_with(|apart| apart.set(true));
}

/// Writes one line to standard error. What cannot be written at once is lost, and nothing else.
pub(crate) fn complain(parts: &[&[u8]]) {
    let mut line = [0u8; 512];
    let mut len = 0;
    for &byte in parts.iter().copied().flatten().chain(b"\n") {
        if len < line.len() {
            line[len] = byte;
            len += 1;
        }
    }
    if len == line.len() {
        line[len - 1] = b'\n';
    }
    let line = &line[..len];
    if IS_APART.try_with(Cell::get) == Ok(true) {
        if let Some(stderr) = standard_error_of_process() {
            write_quietly(stderr.as_raw_fd(), line);
        }
    } else {
        write_quietly(libc::STDERR_FILENO, line);
    }
}

fn write_quietly(fd: c_int, line: &[u8]) {
    let mut poll = libc::pollfd { fd, events: libc::POLLOUT, revents: 0 };
    // SAFETY: one initialised `pollfd`; a timeout of 0 does not wait.
    let ready = unsafe { libc::poll(&mut poll, 1, 0) };
    if ready != 1 || poll.revents & libc::POLLOUT == 0 {
        return;
    }
    without_signals_of_writing(|| {
        // SAFETY: `line` is readable for its length.
        let _ = unsafe { libc::write(fd, line.as_ptr().cast(), line.len()) };
    });
}

/// Runs `write` so that neither a broken pipe nor a limit on files can raise a signal in this thread.
fn without_signals_of_writing(write: impl FnOnce()) {
    // SAFETY: all-zero is a valid `sigset_t`.
    let mut raised: libc::sigset_t = unsafe { core::mem::zeroed() };
    // SAFETY: as above.
    let mut before: libc::sigset_t = unsafe { core::mem::zeroed() };
    // SAFETY: as above.
    let mut pending: libc::sigset_t = unsafe { core::mem::zeroed() };
    // SAFETY: `pending` is writable.
    unsafe { libc::sigpending(&mut pending) };
    // SAFETY: `raised` is writable.
    unsafe { libc::sigemptyset(&mut raised) };
    for signal in [libc::SIGPIPE, libc::SIGXFSZ] {
        // SAFETY: `pending` was filled in above.
        let is_pending = unsafe { libc::sigismember(&pending, signal) } == 1;
        if !is_pending {
            // SAFETY: `raised` is initialised.
            unsafe { libc::sigaddset(&mut raised, signal) };
        }
    }
    // SAFETY: `raised` is initialised and `before` writable.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raised, &mut before) };
    write();
    let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // A signal that the write raised is taken back: it is pending in this thread, and in no other.
    // SAFETY: all three are initialised, and what was raised is not asked for.
    unsafe { libc::sigtimedwait(&raised, core::ptr::null_mut(), &at_once) };
    // SAFETY: `before` was filled in above; the old mask is not asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &before, core::ptr::null_mut()) };
}
