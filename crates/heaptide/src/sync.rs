//! Atomics: the machine's own, or loom's when the lock-free parts are model-checked.
//!
//! Nothing else in this crate names `core::sync::atomic`, so what loom explores is what runs.

#![forbid(unsafe_code)]

#[cfg(not(loom))]
pub(crate) use core::sync::atomic::{
    AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicU64, Ordering, fence,
};
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{
    AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicU64, Ordering, fence,
};

use Ordering::{Relaxed, Release};

/// Keeps the compiler from moving memory accesses across: a signal handler on the same thread then
/// sees them in the order of the program. Costs no instruction.
#[inline(always)]
pub(crate) fn signal_fence() {
    core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
}

/// Adds to a counter that only the calling thread writes.
///
/// A plain load and store: no read-modify-write, so nothing is contended. The store is a release,
/// so that whoever sees it also sees what the writer counted before.
#[inline(always)]
pub(crate) fn add(counter: &AtomicU64, n: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(n), Release);
}
