//! Stacks by the `backtrace` crate, for machines that the walk does not know: slow, but complete.
//!
//! `trace_unsynchronized` takes no lock of its own and does not allocate; the safe `trace` does
//! both, which inside an allocator is a deadlock. Such stacks are never remembered.

use super::observer::WalkObserver;
use super::walk::Outcome;
use crate::sync::AtomicU64;
use crate::sync::Ordering::Relaxed;

/// Fills `frames` with the stack of this very call; the hook's own frames are trimmed by readers,
/// like all allocator plumbing.
pub(crate) fn walk(frames: &[AtomicU64], observer: &mut impl WalkObserver) -> Outcome {
    observer.cannot_be_repeated();
    let mut n_frames = 0;
    let mut truncated = false;
    let note = |frame: &backtrace::Frame| {
        match frames.get(n_frames) {
            Some(to) => {
                to.store(frame.ip().addr() as u64, Relaxed);
                n_frames += 1;
            }
            None => truncated = true,
        }
        !truncated
    };
    // SAFETY: what this function leaves unsynchronised is symbolication, which we do not use; its
    // unwinder is the platform's and is safe to run on several threads at once.
    unsafe { backtrace::trace_unsynchronized(note) };
    Outcome { n_frames, truncated }
}
