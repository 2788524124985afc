//! Whose rights the process has: its user, and whether whoever started it has fewer.

/// Whether the process has rights that whoever started it lacks (set-user-id, file capabilities): what
/// comes from the environment is then not to be obeyed. Async-signal-safe.
pub(crate) fn is_privileged_start() -> bool {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: a pure query of what the kernel left at the process's start.
        let secure = unsafe { libc::getauxval(libc::AT_SECURE) };
        secure != 0
    }
    #[cfg(not(target_os = "linux"))]
    {
        // SAFETY: the calls only read the process's credentials.
        let real = unsafe { libc::getuid() };
        // SAFETY: as above.
        let effective = unsafe { libc::geteuid() };
        real != effective
    }
}

/// The user in whose name files are made.
pub(crate) fn effective_user_id() -> u32 {
    // SAFETY: always succeeds and touches no memory.
    unsafe { libc::geteuid() }
}
