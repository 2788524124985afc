//! A thread that a forked child can start, whatever the threads of its parent were doing.
//!
//! The standard library's threads enter themselves into a list when they start and end, under a lock
//! that no `fork` resets: in a child that was forked meanwhile, a thread that `std::thread` starts
//! waits for ever before it does anything.

use core::ffi::{CStr, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What [`start_thread`] hands to the new thread.
type Work = Box<dyn FnOnce() + Send>;

/// As much as the standard library gives its threads.
const STACK_BYTES: usize = 2 << 20;

/// Starts a thread that nobody waits for.
///
/// # Errors
/// The system's error: no memory, or too many threads.
pub(crate) fn start_thread(
    name: &'static CStr,
    work: impl FnOnce() + Send + 'static,
) -> Result<(), std::io::Error> {
    let named = move || {
        // SAFETY: always succeeds.
        let this = unsafe { libc::pthread_self() };
        // SAFETY: this thread's own handle, and a C string.
        unsafe { libc::pthread_setname_np(this, name.as_ptr()) };
        work();
    };
    // SAFETY: all zero is a place for attributes.
    let mut attributes: libc::pthread_attr_t = unsafe { core::mem::zeroed() };
    // SAFETY: writable.
    unsafe { libc::pthread_attr_init(&mut attributes) };
    // SAFETY: initialised above; a size that every system allows.
    unsafe { libc::pthread_attr_setstacksize(&mut attributes, STACK_BYTES) };
    // SAFETY: as above.
    unsafe { libc::pthread_attr_setdetachstate(&mut attributes, libc::PTHREAD_CREATE_DETACHED) };
    let work: *mut Work = Box::into_raw(Box::new(Box::new(named)));
    // SAFETY: all zero is a place for a handle, a number or a pointer.
    let mut thread: libc::pthread_t = unsafe { core::mem::zeroed() };
    // SAFETY: `begin` takes what is handed over here, and nobody else has it.
    let failed = unsafe { libc::pthread_create(&mut thread, &attributes, begin, work.cast()) };
    // SAFETY: initialised above, and used for the last time.
    unsafe { libc::pthread_attr_destroy(&mut attributes) };
    if failed == 0 {
        return Ok(());
    }
    // SAFETY: no thread was started that could have taken it.
    drop(unsafe { Box::from_raw(work) });
    Err(std::io::Error::from_raw_os_error(failed))
}

extern "C" fn begin(work: *mut c_void) -> *mut c_void {
    // SAFETY: `start_thread` left it there for this thread alone.
    let work = unsafe { Box::from_raw(work.cast::<Work>()) };
    // A panic has been told on standard error; like in the standard library's threads, that is all.
    let _ = catch_unwind(AssertUnwindSafe(work));
    core::ptr::null_mut()
}
