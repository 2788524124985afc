//! Any other machine: no registers; stacks are taken by the `backtrace` crate instead.

use super::target::EntryTarget;

/// Calls [`EntryTarget::alloc`].
///
/// # Safety
/// As [`core::alloc::GlobalAlloc::alloc`].
pub(crate) unsafe fn alloc<A: EntryTarget>(inner: &A, size: usize, align: usize) -> *mut u8 {
    // SAFETY: the caller's promise; nothing will be read through the zeroes.
    unsafe { A::alloc(inner, size, align, 0, 0, 0) }
}

/// Calls [`EntryTarget::alloc_zeroed`].
///
/// # Safety
/// As [`core::alloc::GlobalAlloc::alloc_zeroed`].
pub(crate) unsafe fn alloc_zeroed<A: EntryTarget>(inner: &A, size: usize, align: usize) -> *mut u8 {
    // SAFETY: the caller's promise; nothing will be read through the zeroes.
    unsafe { A::alloc_zeroed(inner, size, align, 0, 0, 0) }
}

/// Calls [`EntryTarget::sample`].
///
/// # Safety
/// As [`EntryTarget::sample`].
pub(crate) unsafe fn sample<A: EntryTarget>(inner: &A, request: &A::Request) -> *mut u8 {
    // SAFETY: the caller's promise; nothing will be read through the zeroes.
    unsafe { A::sample(inner, request, 0, 0, 0) }
}
