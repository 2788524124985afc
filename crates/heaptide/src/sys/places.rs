//! Which forked children are still there, as their parent sees it.
//!
//! A child takes a place in memory that it shares with its parent, by a robust mutex that it never lets
//! go. When it ends, is killed or becomes another program, the kernel marks the mutex as one whose
//! owner is gone (`set_robust_list(2)`), and whoever tries it next is told. Process ids would not
//! do: they are given to others, and are other numbers in other namespaces.

use core::cell::UnsafeCell;

use super::memory::map_shared;
use crate::sync::Ordering::{AcqRel, Acquire, Relaxed, Release};
use crate::sync::{AtomicU32, AtomicU64};

/// As many children as are told apart at the same time; of 64 bytes each.
const N_PLACES: usize = 128;

/// Places that a process shares with those that are forked from it.
pub(crate) type SharedPlaces = &'static [ChildPlace; N_PLACES];

/// A place that one child may take.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct ChildPlace {
    mutex: UnsafeCell<libc::pthread_mutex_t>,
    /// Whose child it is; 0: nobody's.
    family: AtomicU32,
    stage: AtomicU32,
    taken_ns: AtomicU64,
}

// SAFETY: of the mutex only the address is used, by functions made for mutexes that processes share.
unsafe impl Sync for ChildPlace {}

/// The mutex is not locked yet, or not any more.
const FREE: u32 = 0;
const HELD: u32 = 1;
/// Held, and whoever looks need not ask about this child again.
const SETTLED: u32 = 2;

/// What became of the child in a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChildState {
    There {
        since_ns: u64,
    },
    /// It is gone, and its place free; whether it was settled before.
    Gone {
        was_settled: bool,
    },
}

#[cfg(target_os = "linux")]
unsafe extern "C" {
    // In `<pthread.h>` of glibc and musl.
    fn pthread_mutexattr_setpshared(attributes: *mut libc::pthread_mutexattr_t, shared: i32)
    -> i32;
    fn pthread_mutexattr_setrobust(attributes: *mut libc::pthread_mutexattr_t, robust: i32) -> i32;
    fn pthread_mutex_consistent(mutex: *mut libc::pthread_mutex_t) -> i32;
}

/// Free places that stay shared with forked children; `None` if the system has none.
pub(crate) fn shared_places() -> Option<SharedPlaces> {
    let at = map_shared(size_of::<[ChildPlace; N_PLACES]>())?;
    // SAFETY: zeroes, of which atomics are made, and bytes that are not looked at before they are made a
    // mutex; aligned as pages are; never unmapped, and reached by whoever shares it in the same way.
    let places: SharedPlaces = unsafe { at.cast().as_ref() };
    places.iter().all(ChildPlace::make_mutex).then_some(places)
}

impl ChildPlace {
    #[cfg(target_os = "linux")]
    fn make_mutex(&self) -> bool {
        // SAFETY: all zero is a place for attributes.
        let mut attributes: libc::pthread_mutexattr_t = unsafe { core::mem::zeroed() };
        // SAFETY: writable.
        let mut failed = unsafe { libc::pthread_mutexattr_init(&mut attributes) };
        // SAFETY: initialised above.
        failed |=
            unsafe { pthread_mutexattr_setpshared(&mut attributes, libc::PTHREAD_PROCESS_SHARED) };
        // SAFETY: as above.
        failed |=
            unsafe { pthread_mutexattr_setrobust(&mut attributes, libc::PTHREAD_MUTEX_ROBUST) };
        // SAFETY: nobody else knows the mutex yet, and the attributes are initialised.
        failed |= unsafe { libc::pthread_mutex_init(self.mutex.get(), &attributes) };
        failed == 0
    }

    #[cfg(not(target_os = "linux"))]
    fn make_mutex(&self) -> bool {
        false
    }

    /// Takes the place, for as long as the calling thread's process is what it is; false if it is taken.
    ///
    /// Called in a forked child, by its only thread.
    pub(crate) fn take(&self, family: u32, now_ns: u64) -> bool {
        if self.family.compare_exchange(0, family, AcqRel, Relaxed).is_err() {
            return false;
        }
        self.taken_ns.store(now_ns, Relaxed);
        // SAFETY: made by `make_mutex`, and never destroyed.
        let failed = unsafe { libc::pthread_mutex_trylock(self.mutex.get()) };
        if failed == 0 {
            self.stage.store(HELD, Release);
        }
        failed == 0
    }

    /// Nobody needs to ask about the child in this place again.
    pub(crate) fn settle(&self) {
        // Not if it is gone meanwhile.
        let _ = self.stage.compare_exchange(HELD, SETTLED, AcqRel, Relaxed);
    }

    /// What became of the child of this family in this place, if there is one. Not called by two threads
    /// at once.
    #[cfg(target_os = "linux")]
    pub(crate) fn look(&self, family: u32) -> Option<ChildState> {
        let stage = self.stage.load(Acquire);
        if stage == FREE || self.family.load(Acquire) != family {
            return None;
        }
        // SAFETY: made by `make_mutex`, and never destroyed.
        let tried = unsafe { libc::pthread_mutex_trylock(self.mutex.get()) };
        if tried != libc::EOWNERDEAD {
            return Some(ChildState::There { since_ns: self.taken_ns.load(Relaxed) });
        }
        // SAFETY: the calling thread has it, and was told that its owner is gone.
        unsafe { pthread_mutex_consistent(self.mutex.get()) };
        // SAFETY: as above.
        unsafe { libc::pthread_mutex_unlock(self.mutex.get()) };
        let was_settled = self.stage.swap(FREE, AcqRel) == SETTLED;
        self.family.store(0, Release);
        Some(ChildState::Gone { was_settled })
    }

    /// Nothing is told of children here.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn look(&self, _: u32) -> Option<ChildState> {
        None
    }
}
