//! Any other machine: no registers; stacks are taken by the `backtrace` crate instead.

use core::alloc::GlobalAlloc;

use crate::hook::Request;

/// Calls [`crate::hook::alloc`].
///
/// # Safety
/// As [`GlobalAlloc::alloc`].
pub(crate) unsafe fn alloc<A: GlobalAlloc>(inner: &A, size: usize, align: usize) -> *mut u8 {
    // SAFETY: the caller's promise; nothing will be read through the zeroes.
    unsafe { crate::hook::alloc::<A>(inner, size, align, 0, 0, 0) }
}

/// Calls [`crate::hook::alloc_zeroed`].
///
/// # Safety
/// As [`GlobalAlloc::alloc_zeroed`].
pub(crate) unsafe fn alloc_zeroed<A: GlobalAlloc>(inner: &A, size: usize, align: usize) -> *mut u8 {
    // SAFETY: as above.
    unsafe { crate::hook::alloc_zeroed::<A>(inner, size, align, 0, 0, 0) }
}

/// Calls [`crate::hook::sample`].
///
/// # Safety
/// As [`crate::hook::sample`].
pub(crate) unsafe fn sample<A: GlobalAlloc>(inner: &A, request: &Request) -> *mut u8 {
    // SAFETY: as above.
    unsafe { crate::hook::sample::<A>(inner, request, 0, 0, 0) }
}
