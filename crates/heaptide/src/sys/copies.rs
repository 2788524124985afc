//! Which copy of the process this is.
//!
//! `fork`, and a raw `clone` that no handler hears of, copy all memory, the process's idea of who it is
//! included. Process ids alone do not tell copies apart: in a new pid namespace parent and child may
//! both be number 1. The kernel does, where it can: it hands each copy one page of ours zeroed
//! (`MADV_WIPEONFORK`, Linux 4.14). A `vfork` child shares the memory, and is told by its process id.

use core::ptr::NonNull;

use super::memory::map_zeroed;
use super::process::process_id;
use crate::sync::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

/// A word that is zero in every copy of the process that did not write to it itself.
static WIPED: AtomicPtr<AtomicU64> = AtomicPtr::new(core::ptr::null_mut());
/// The process that owns the recording, as [`ProcessCopy`]'s two numbers.
static OWNER_PID: AtomicU32 = AtomicU32::new(0);
static OWNER_NUMBER: AtomicU64 = AtomicU64::new(0);
/// The largest number that this process or one it was copied from went by.
static LAST_NUMBER: AtomicU64 = AtomicU64::new(0);

/// One process, told from those it was copied from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProcessCopy {
    pid: u32,
    number: u64,
}

impl ProcessCopy {
    /// The calling process. Async-signal-safe.
    pub(crate) fn this() -> Self {
        let number = wiped()
            .map_or(OWNER_NUMBER.load(Ordering::Acquire), |word| word.load(Ordering::Acquire));
        Self { pid: process_id(), number }
    }
}

/// The recording is this process's from here on. Not called from signal handlers.
pub(super) fn own() {
    if is_owner() {
        return;
    }
    if WIPED.load(Ordering::Acquire).is_null() {
        make_word();
    }
    let number = LAST_NUMBER.fetch_add(1, Ordering::AcqRel) + 1;
    if let Some(word) = wiped() {
        word.store(number, Ordering::Release);
    }
    OWNER_NUMBER.store(number, Ordering::Release);
    OWNER_PID.store(process_id(), Ordering::Release);
}

/// Whether the recording is this process's. Async-signal-safe.
pub(crate) fn is_owner() -> bool {
    let owner = ProcessCopy {
        pid: OWNER_PID.load(Ordering::Acquire),
        number: OWNER_NUMBER.load(Ordering::Acquire),
    };
    owner.number != 0 && ProcessCopy::this() == owner
}

fn wiped() -> Option<&'static AtomicU64> {
    let word = NonNull::new(WIPED.load(Ordering::Acquire))?;
    // SAFETY: stored by `make_word` only: a zeroed mapping that is never unmapped.
    Some(unsafe { word.as_ref() })
}

/// Without such a page, process ids have to do.
fn make_word() {
    const PAGE_BYTES: usize = 4096;
    if cfg!(miri) {
        return;
    }
    let Some(page) = map_zeroed(PAGE_BYTES) else { return };
    #[cfg(target_os = "linux")]
    {
        // SAFETY: advice about a mapping that is ours; it changes what copies of us see there.
        let done =
            unsafe { libc::madvise(page.as_ptr().cast(), PAGE_BYTES, libc::MADV_WIPEONFORK) };
        if done == 0 {
            WIPED.store(page.as_ptr().cast(), Ordering::Release);
        }
    }
}
