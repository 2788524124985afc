//! Names of files that nobody else gets at the same time.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Renames `old` to `new`, unless somebody has that name.
///
/// A rename, because who looks at the descriptors of a process reads the name that its file was opened
/// by: after a second name and the removal of the first, that is one that is gone. Where the file system
/// cannot rename so, a second name and the removal of the first must do.
pub(crate) fn rename_if_free(old: &Path, new: &Path) -> io::Result<()> {
    let (from, to) =
        (CString::new(old.as_os_str().as_bytes())?, CString::new(new.as_os_str().as_bytes())?);
    #[cfg(target_os = "linux")]
    {
        // SAFETY: two C strings that outlive the call.
        let done = unsafe {
            libc::syscall(
                libc::SYS_renameat2,
                libc::AT_FDCWD,
                from.as_ptr(),
                libc::AT_FDCWD,
                to.as_ptr(),
                libc::RENAME_NOREPLACE,
            )
        };
        let error = io::Error::last_os_error();
        if done == 0 {
            return Ok(());
        }
        if !matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EINVAL | libc::EPERM)) {
            return Err(error);
        }
    }
    let _ = (from, to);
    fs::hard_link(old, new)?;
    fs::remove_file(old)
}
