//! Descriptors that cannot be mistaken for the program's.
//!
//! The recorder thread has a table of descriptors of its own, so that nothing the program closes,
//! reuses, inherits or passes on is ever the recorder's, and nothing of the recorder's is ever the
//! program's. Where the kernel cannot give it one (before Linux 5.9), descriptors above 2 with
//! close-on-exec must do, and whoever uses one looks first whether it still is what was opened.

use core::ffi::c_int;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Descriptors below this are standard input, output and error: whoever writes there means those.
const FIRST_OWN: c_int = 3;

/// Gives the calling thread an empty table of descriptors; whether the kernel could.
///
/// Only for a thread that uses no descriptor of the program's.
pub(crate) fn leave_descriptors_of_process() -> bool {
    #[cfg(target_os = "linux")]
    {
        // From `linux/close_range.h`: first make the table this thread's own.
        const CLOSE_RANGE_UNSHARE: u32 = 1 << 1;
        // SAFETY: closes descriptors in a table that only the calling thread has, which uses none.
        let done =
            unsafe { libc::syscall(libc::SYS_close_range, 0u32, u32::MAX, CLOSE_RANGE_UNSHARE) };
        done == 0
    }
    #[cfg(not(target_os = "linux"))]
    {
        false
    }
}

/// The same open file under a number above 2, closed in programs that this one becomes.
///
/// # Errors
/// The system's error: out of descriptors.
pub(crate) fn raised(file: File) -> io::Result<File> {
    if file.as_raw_fd() >= FIRST_OWN {
        return Ok(file);
    }
    // SAFETY: makes a new descriptor, and changes none.
    let fd = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_DUPFD_CLOEXEC, FIRST_OWN) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: made above, and nobody else has it.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// The program's standard error, for a thread that left its descriptors; `None` if that is closed or
/// the kernel does not hand it over (before Linux 5.6).
pub(super) fn standard_error_of_process() -> Option<OwnedFd> {
    #[cfg(target_os = "linux")]
    {
        let pid = super::process::process_id();
        // SAFETY: a plain number; makes a descriptor in this thread's table.
        let process = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
        let process = owned(process)?;
        // SAFETY: a descriptor of a process, and the number of one of its descriptors.
        let copy = unsafe {
            libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), libc::STDERR_FILENO, 0)
        };
        raised(File::from(owned(copy)?)).ok().map(OwnedFd::from)
    }
    #[cfg(not(target_os = "linux"))]
    {
        None
    }
}

#[cfg(target_os = "linux")]
fn owned(made: libc::c_long) -> Option<OwnedFd> {
    let fd = c_int::try_from(made).ok().filter(|&fd| fd >= 0)?;
    // SAFETY: a system call has just made it, and nobody else has it.
    Some(unsafe { OwnedFd::from_raw_fd(fd) })
}
