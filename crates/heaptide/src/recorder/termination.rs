//! The thread that lets a terminating signal take its course when the recorder cannot.

#![forbid(unsafe_code)]

use std::sync::Mutex;
use std::time::Duration;

use crate::sys::{self, ProcessCopy};
use crate::thread::block::InternalGuard;

/// How long a process that ends waits for its last snapshot at most: its disk may be gone. The last
/// snapshot of 100,000 sites takes a second.
pub(super) const END_PATIENCE: Duration = Duration::from_secs(5);

/// The process that has the thread of [`bound_termination`].
static BOUNDED: Mutex<Option<ProcessCopy>> = Mutex::new(None);

/// Starts the thread that lets a terminating signal take its course when the recorder cannot: it may
/// be waiting for a disk that is gone. One in each process.
///
/// # Errors
/// The system's error: no thread.
pub(super) fn bound_termination() -> std::io::Result<()> {
    // Not waited for: in a forked child it may be held by a thread that the child does not have.
    let Ok(mut bounded) = BOUNDED.try_lock() else { return Ok(()) };
    let this = ProcessCopy::this();
    if *bounded == Some(this) {
        return Ok(());
    }
    sys::with_all_signals_blocked(|| {
        sys::start_thread(c"heaptide-end", || {
            let _internal = InternalGuard::enter();
            let signal = sys::wait_for_termination();
            std::thread::sleep(END_PATIENCE);
            sys::die_of(signal);
        })
    })?;
    *bounded = Some(this);
    Ok(())
}

/// How many threads of this process are ours.
pub(super) fn n_own_threads() -> u64 {
    let is_bounded = BOUNDED.try_lock().is_ok_and(|bounded| *bounded == Some(ProcessCopy::this()));
    1 + u64::from(is_bounded)
}
