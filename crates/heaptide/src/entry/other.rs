//! Any other machine: no registers; stacks are taken by the `backtrace` crate instead.

use core::ffi::c_void;

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
    // SAFETY: as above.
    unsafe { A::alloc_zeroed(inner, size, align, 0, 0, 0) }
}

/// Calls [`EntryTarget::sample`].
///
/// # Safety
/// As [`EntryTarget::sample`].
pub(crate) unsafe fn sample<A: EntryTarget>(inner: &A, request: &A::Request) -> *mut u8 {
    // SAFETY: as above.
    unsafe { A::sample(inner, request, 0, 0, 0) }
}

/// Calls `body` with `argument` on the stack that it finds: stacks are only taken apart by other
/// unwinders here, which need the program's own.
///
/// # Safety
/// As `body` demands of `argument`.
pub(super) unsafe extern "C" fn switch_stack(
    _top: u64,
    body: unsafe extern "C" fn(*mut c_void),
    argument: *mut c_void,
) {
    // SAFETY: the caller's promise.
    unsafe { body(argument) };
}
