//! A word that each thread has for itself, in the C library's own record of the thread.
//!
//! Not a `thread_local!`: for those of a shared object that is loaded later, the C library makes room
//! when a thread first comes to them, with `malloc`, and a signal handler may have interrupted
//! `malloc`. The values of the first keys stand in the thread's record, where they are read and
//! written without more (glibc: `specific_1stblock`; musl keeps all of them there).

use core::ffi::c_void;
use core::ptr;

use crate::sync::{AtomicU32, Ordering};

/// No key.
const NONE: u32 = u32::MAX;
/// Keys below need no room of their own (glibc's `PTHREAD_KEY_2NDLEVEL_SIZE`).
const FIRST_KEYS: u32 = 32;

/// Called when a thread ends, with its value if that is not null.
pub(super) type AtThreadExit = unsafe extern "C" fn(*mut c_void);

/// The key to one word of each thread, which is null at first.
#[derive(Debug)]
pub(super) struct ThreadKey(AtomicU32);

impl ThreadKey {
    pub(super) const fn new() -> Self {
        Self(AtomicU32::new(NONE))
    }

    /// Makes the key, once. False: the process has none left.
    pub(super) fn make(&self, at_exit: Option<AtThreadExit>) -> bool {
        if self.key().is_some() {
            return true;
        }
        let mut key = 0;
        // SAFETY: `key` is writable; the destructor is a plain function.
        let made = unsafe { libc::pthread_key_create(&mut key, at_exit) };
        if made != 0 {
            return false;
        }
        if self.0.compare_exchange(NONE, key, Ordering::AcqRel, Ordering::Acquire).is_err() {
            // SAFETY: the key was made above and nobody else knows it.
            unsafe { libc::pthread_key_delete(key) };
        }
        true
    }

    /// Whether a signal handler may set the word: there is a key, and it is one of the first.
    pub(super) fn is_async_signal_safe(&self) -> bool {
        self.key().is_some_and(|key| key < FIRST_KEYS || cfg!(target_env = "musl"))
    }

    /// The calling thread's word; null without a key.
    pub(super) fn get(&self) -> *mut c_void {
        // SAFETY: the key exists, and is never deleted.
        self.key().map_or(ptr::null_mut(), |key| unsafe { libc::pthread_getspecific(key) })
    }

    /// Sets the calling thread's word; nothing happens without a key, or without room for the value.
    pub(super) fn set(&self, value: *const c_void) {
        if let Some(key) = self.key() {
            // SAFETY: as for `get`.
            unsafe { libc::pthread_setspecific(key, value) };
        }
    }

    fn key(&self) -> Option<u32> {
        Some(self.0.load(Ordering::Acquire)).filter(|&key| key != NONE)
    }
}
