//! A stack as the walk sees it: where it begins, the right to read it, and room for its frames.

#![forbid(unsafe_code)]

use crate::sync::AtomicU64;

/// Frames that are followed; what lies beyond is cut off and counted. The innermost frames are the
/// ones kept: they say what allocated.
pub(crate) const MAX_FRAMES: usize = 256;
/// Words a walk can rely on: a return address and a base pointer per frame.
pub(crate) const MAX_CHECKS: usize = 2 * MAX_FRAMES;

/// Frames of the stack being walked.
pub(crate) type Scratch = [AtomicU64; MAX_FRAMES];

/// The machine state right after the hook returns to its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// Return address of the hook.
    pub(crate) ra: u64,
    /// Stack pointer after the return.
    pub(crate) sp: u64,
    /// Base pointer register.
    pub(crate) fp: u64,
}

/// The right to read the words of one stack.
pub(crate) trait StackMemory: Copy {
    /// The eight bytes at `at`, which the caller has shown to belong to a frame of this stack.
    fn word(self, at: u64) -> u64;
}
