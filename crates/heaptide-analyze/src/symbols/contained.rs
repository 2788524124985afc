//! Code of others that may panic, kept from doing more than fail.
//!
//! The readers of executables are not ready for every file. Without names there still is a verdict, so a
//! panic of theirs becomes an error like any other; what it says may be bytes of the file, and is told to
//! nobody.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static CATCHES: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic of this thread would be caught, and reported as a [`super::Problem`]: a panic hook has
/// nothing to tell of it.
pub fn catches_panics() -> bool {
    CATCHES.get()
}

/// What `read` gives, or an error if it panics.
pub(super) fn contained<T>(read: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let before = CATCHES.replace(true);
    let found = catch_unwind(AssertUnwindSafe(read));
    CATCHES.set(before);
    let failed = || "it is broken in a way that its reader was not ready for".to_owned();
    found.unwrap_or_else(|_| Err(failed()))
}
