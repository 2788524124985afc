//! A stack as the walk sees it: where it begins, the right to read it, and room for its frames.

#![forbid(unsafe_code)]

use heaptide_format::MAX_FRAMES;

use crate::sync::AtomicU64;

/// Words a walk can rely on: a return address and a base pointer per frame.
pub(crate) const MAX_CHECKS: usize = 2 * MAX_FRAMES;

/// Frames of the stack being walked.
pub(crate) type FrameBuffer = [AtomicU64; MAX_FRAMES];

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
    /// The eight bytes at `at`. The caller has shown that they belong to this stack: by
    /// [`Self::is_readable`], or because every word that led there is what it was then.
    fn word(self, at: u64) -> u64;

    /// Whether the page that begins at `page` is there to be read, as it stays until the thread
    /// leaves the hook. Asks the kernel.
    fn is_readable(self, page: u64) -> bool;

    /// Whether code without tables that runs with its stack pointer at `sp` is the C library's, and
    /// the beginning of the stack.
    fn begins_near(self, sp: u64) -> bool;
}

/// The smallest page of the machines we know. On larger ones a page is asked for in parts.
pub(crate) const PAGE_BYTES: u64 = 4096;

/// The words that a walk may read: from a stack pointer upward, as far as pages follow each other
/// without a gap.
///
/// Unwind tables may lie, and a coroutine's stack may end anywhere, so the walk does not read where
/// a table leads but where this says that the stack goes on: a guard page or a hole above it is the
/// end. What is known is forgotten with the walk. A page that was there for the last walk may be
/// gone for this one, if the stack is a coroutine's; but no page of the stack that runs the hook
/// goes away while it does.
#[derive(Debug)]
pub(super) struct StackBounds<M> {
    memory: M,
    start: u64,
    /// The first byte of which nothing is known; a page begins there.
    end: u64,
}

impl<M: StackMemory> StackBounds<M> {
    /// The stack of a function that has called us with its stack pointer at `sp`. What we put on the
    /// stack lies right below, so the rest of that page is there.
    pub(super) fn of_caller(memory: M, sp: u64) -> Self {
        Self { memory, start: sp, end: sp.checked_next_multiple_of(PAGE_BYTES).unwrap_or(sp) }
    }

    /// The stack of code that was interrupted with its stack pointer at `sp`, of which nothing is
    /// known yet.
    pub(super) fn move_to(&mut self, sp: u64) {
        (self.start, self.end) = (sp, sp & !(PAGE_BYTES - 1));
    }

    /// Whether code without tables at the beginning of the stack has its stack pointer at `sp`.
    pub(super) fn begin_near(&self, sp: u64) -> bool {
        self.memory.begins_near(sp)
    }

    /// The eight bytes at `at`; `None` if the stack does not go on as far. At most as many pages
    /// are asked for as lie between: the walk bounds the size of a frame.
    pub(super) fn word(&mut self, at: u64) -> Option<u64> {
        let end = at.checked_add(8)?;
        if at < self.start {
            return None;
        }
        while self.end < end {
            if !self.memory.is_readable(self.end) {
                return None;
            }
            self.end = self.end.checked_add(PAGE_BYTES)?;
        }
        Some(self.memory.word(at))
    }
}
