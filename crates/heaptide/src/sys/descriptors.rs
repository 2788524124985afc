//! Descriptors that may have been closed, and taken by somebody else's file, since they were opened.

use core::ffi::c_int;

/// The inode of a pipe; 0 for anything else.
pub(super) fn inode(fd: c_int) -> u64 {
    // SAFETY: all-zero is a valid `stat`.
    let mut stat: libc::stat = unsafe { core::mem::zeroed() };
    // SAFETY: `stat` is writable; the call only reads what the descriptor refers to.
    let got = unsafe { libc::fstat(fd, &mut stat) };
    if got == 0 && stat.st_mode & libc::S_IFMT == libc::S_IFIFO { stat.st_ino } else { 0 }
}
