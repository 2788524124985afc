//! The stack of the thread that called an entry point.

use crate::sys;
use crate::unwind::StackMemory;

/// The stack of the calling thread, from the hook's caller on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ThreadStack(());

impl ThreadStack {
    /// # Safety
    /// Words may only be asked for on pages that were said to be readable, or in frames that are on
    /// this stack because all that leads to them is as it was when they were found there: the walk
    /// does the one, the stack cache the other.
    pub(crate) unsafe fn assume_walked() -> Self {
        Self(())
    }
}

impl StackMemory for ThreadStack {
    #[inline(always)]
    fn word(self, at: u64) -> u64 {
        // SAFETY: `at` lies on the stack that this thread runs on, or on one that a signal
        // interrupted (`assume_walked`). Both are there and do not change while the thread is in the hook.
        unsafe { (at as *const u64).read_unaligned() }
    }

    fn is_readable(self, page: u64) -> bool {
        sys::is_readable(page as usize)
    }

    fn begins_near(self, sp: u64) -> bool {
        sys::stack_begins_near(sp)
    }
}
