//! Every call of the recorder that changes a file, one function each.
//!
//! They stand in one place so that tests can put a fault before each of them: an error, or the end of
//! the process in the middle of a write. Outside the tests the seam is nothing.

#![forbid(unsafe_code)]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::sys;

/// Recordings name functions and files of a service: nobody else's business.
const OWNER_ONLY: u32 = 0o600;

/// A new file, to append to; fails if there is anything of that name, a link included.
pub(crate) fn create_new(path: &Path) -> io::Result<File> {
    fault::before()?;
    OpenOptions::new().create_new(true).append(true).mode(OWNER_ONLY).open(path)
}

/// A file that is there, to append to; never through a link.
pub(crate) fn reopen(path: &Path) -> io::Result<File> {
    fault::before()?;
    OpenOptions::new().append(true).custom_flags(libc::O_NOFOLLOW).open(path)
}

/// Writes all of it, or an unknown part and an error.
pub(crate) fn write_all(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    let (allowed, fault) = fault::before_write(bytes);
    file.write_all(allowed)?;
    fault
}

pub(crate) fn truncate(file: &File, bytes: u64) -> io::Result<()> {
    fault::before()?;
    file.set_len(bytes)
}

/// Waits until the file is on disk.
pub(crate) fn sync(file: &File) -> io::Result<()> {
    fault::before_sync(|| file.sync_all())
}

/// Another name, unless somebody has it.
pub(crate) fn rename_if_free(old: &Path, new: &Path) -> io::Result<()> {
    fault::before()?;
    sys::rename_if_free(old, new)
}

/// Another name, in place of whoever has it.
pub(crate) fn rename(old: &Path, new: &Path) -> io::Result<()> {
    fault::before()?;
    fs::rename(old, new)
}

pub(crate) fn remove(path: &Path) -> io::Result<()> {
    fault::before()?;
    fs::remove_file(path)
}

#[cfg(not(test))]
mod fault {
    use std::io;

    #[inline]
    pub(super) fn before() -> io::Result<()> {
        Ok(())
    }

    #[inline]
    pub(super) fn before_write(bytes: &[u8]) -> (&[u8], io::Result<()>) {
        (bytes, Ok(()))
    }

    #[inline]
    pub(super) fn before_sync(sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        sync()
    }
}

/// Faults that a test asks for, in its own thread.
#[cfg(test)]
pub(crate) mod fault {
    use std::cell::Cell;
    use std::io;

    /// What happens at the chosen call.
    #[derive(Clone, Copy, Debug)]
    pub(crate) enum Fault {
        /// The process is killed: of a write this share of its bytes arrives, and nothing after it.
        Kill { share: f64 },
        /// The disk is full for so many calls; of a write half arrives.
        Full { n_calls: u64 },
    }

    #[derive(Clone, Copy, Debug)]
    struct Plan {
        at: u64,
        fault: Fault,
    }

    thread_local! {
        static PLAN: Cell<Option<Plan>> = const { Cell::new(None) };
        static N_CALLS: Cell<u64> = const { Cell::new(0) };
    }

    /// Does `work`, with a fault at its call number `at`, from 0; how many calls it made.
    pub(crate) fn with_fault(at: u64, fault: Fault, work: impl FnOnce()) -> u64 {
        PLAN.set(Some(Plan { at, fault }));
        N_CALLS.set(0);
        work();
        PLAN.set(None);
        N_CALLS.get()
    }

    /// The share of a write that arrives, and what it then says.
    fn next_call() -> (f64, io::Result<()>) {
        let n = N_CALLS.replace(N_CALLS.get() + 1);
        let Some(Plan { at, fault }) = PLAN.get() else { return (1.0, Ok(())) };
        let killed = || Err(io::Error::other("killed"));
        match fault {
            Fault::Kill { share } if n == at => (share, killed()),
            Fault::Kill { .. } if n > at => (0.0, killed()),
            Fault::Full { n_calls } if (at..at + n_calls).contains(&n) => {
                (0.5, Err(io::ErrorKind::StorageFull.into()))
            }
            _ => (1.0, Ok(())),
        }
    }

    pub(super) fn before() -> io::Result<()> {
        next_call().1
    }

    pub(super) fn before_write(bytes: &[u8]) -> (&[u8], io::Result<()>) {
        let (share, then) = next_call();
        let n_bytes = (bytes.len() as f64 * share) as usize;
        (&bytes[..n_bytes.min(bytes.len())], then)
    }

    /// Whoever is killed loses nothing that is not on disk yet: with a plan, nothing waits for it.
    pub(super) fn before_sync(sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        next_call().1?;
        if PLAN.get().is_some() { Ok(()) } else { sync() }
    }
}
