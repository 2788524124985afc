//! The C library's error number of this thread, which calls of ours must leave as the program had it.

use core::ffi::c_int;

pub(super) fn errno() -> c_int {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

#[cfg(target_os = "linux")]
pub(super) fn set_errno(errno: c_int) {
    // SAFETY: the location is this thread's own and always valid.
    let location = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    unsafe { location.write(errno) };
}
