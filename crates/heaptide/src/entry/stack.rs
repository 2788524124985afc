//! The stack of the thread that called an entry point.

use crate::unwind::StackMemory;

/// The stack of the calling thread, from the hook's caller on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ThreadStack(());

impl ThreadStack {
    /// # Safety
    /// Words may only be asked for inside frames that the unwind tables, applied step by step
    /// from the hook's caller, say are there; the walk and the stack cache do that.
    pub(crate) unsafe fn assume_walked() -> Self {
        Self(())
    }
}

impl StackMemory for ThreadStack {
    #[inline(always)]
    fn word(self, at: u64) -> u64 {
        // SAFETY: `at` lies in a frame of this thread's own stack (`assume_walked`), which is
        // mapped and does not change while the thread is in the hook.
        unsafe { (at as *const u64).read_unaligned() }
    }
}
