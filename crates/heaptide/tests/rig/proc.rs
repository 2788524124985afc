//! What the kernel says of this process, and the few calls into libc that the cases need.

#![expect(unsafe_code, reason = "calls into libc")]

use std::fs;
use std::process::ExitStatus;

/// Has the kernel kill this process after so many seconds.
pub(crate) fn die_after(seconds: libc::c_uint) {
    // SAFETY: alarm(2) takes a number and touches no memory of ours.
    unsafe { libc::alarm(seconds) };
}

/// This thread's kernel id.
pub(crate) fn thread_id() -> i32 {
    // SAFETY: gettid(2) cannot fail.
    unsafe { libc::gettid() }
}

/// Sends a signal to this process.
pub(crate) fn raise(signal: i32) {
    // SAFETY: kill(2) and getpid(2) touch no memory of ours.
    let sent = unsafe { libc::kill(std::process::id() as i32, signal) };
    assert_eq!(sent, 0);
}

/// Forks; the child does `work` and must end by itself.
pub(crate) fn fork(work: impl FnOnce()) -> i32 {
    // SAFETY: the child goes on with a copy of this thread; what it calls is what is tested.
    match unsafe { libc::fork() } {
        0 => {
            die_after(30);
            work();
            // SAFETY: ends the process without running anything.
            unsafe { libc::_exit(0) }
        }
        child => {
            assert!(child > 0, "fork: {}", std::io::Error::last_os_error());
            child
        }
    }
}

/// Waits for a forked child.
pub(crate) fn wait(child: i32) -> ExitStatus {
    let mut status = 0;
    // SAFETY: `status` is ours to be written.
    let waited = unsafe { libc::waitpid(child, &mut status, 0) };
    assert_eq!(waited, child);
    std::os::unix::process::ExitStatusExt::from_raw(status)
}

/// Ends the process with `_exit(2)`: no handler runs.
pub(crate) fn exit_at_once(code: i32) -> ! {
    // SAFETY: ends the process without running anything.
    unsafe { libc::_exit(code) }
}

/// Ends the process with `exit(3)`: handlers run.
pub(crate) fn exit_with_handlers(code: i32) -> ! {
    // SAFETY: handlers registered with atexit(3) run; that is what is tested.
    unsafe { libc::exit(code) }
}

/// Bytes of this process that are in memory.
pub(crate) fn resident_bytes() -> u64 {
    let text = fs::read_to_string("/proc/self/statm").expect("Linux has /proc");
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.expect("the second number of statm") * 4096
}

/// Kernel ids of all threads but this one.
pub(crate) fn other_threads() -> Vec<i32> {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux has /proc");
    let ids = tasks.filter_map(|task| task.ok()?.file_name().to_str()?.parse().ok());
    ids.filter(|&id| id != thread_id()).collect()
}

/// What a thread is called.
pub(crate) fn thread_name(thread: i32) -> String {
    let name = fs::read_to_string(format!("/proc/self/task/{thread}/comm"));
    name.unwrap_or_default().trim_end().to_owned()
}

/// The set of signals that a thread blocks; bit 0 is signal 1.
pub(crate) fn blocked_signals(thread: i32) -> u64 {
    let path = format!("/proc/self/task/{thread}/status");
    let status = fs::read_to_string(path).expect("a living thread has a status");
    let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:"));
    u64::from_str_radix(mask.expect("the status names the mask").trim(), 16).expect("a mask is hex")
}
