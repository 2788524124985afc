//! Pipes and devices, whose readers may be slow or gone.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

/// Waits until something can be written, but no longer than `patience`; whether it can.
pub(crate) fn wait_until_writable(stream: BorrowedFd<'_>, patience: Duration) -> bool {
    let mut asked = libc::pollfd { fd: stream.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
    let patience_ms = i32::try_from(patience.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: one initialised entry, and its number.
    let n_ready = unsafe { libc::poll(&mut asked, 1, patience_ms) };
    n_ready == 1 && asked.revents & libc::POLLOUT != 0
}
