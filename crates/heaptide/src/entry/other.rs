//! Any other machine: no registers; stacks are taken by the `backtrace` crate instead.

use core::ffi::c_void;

use super::target::{AllocTarget, RequestTarget};

/// Calls [`AllocTarget::alloc`].
///
/// # Safety
/// As [`core::alloc::GlobalAlloc::alloc`].
pub(crate) unsafe fn alloc<T: AllocTarget>(
    size: usize,
    align: usize,
    inner: &T::Allocator,
) -> *mut u8 {
    // SAFETY: the caller's promise; nothing will be read through the zeroes.
    unsafe { T::alloc(size, align, inner, 0, 0, 0) }
}

/// Calls [`AllocTarget::alloc_zeroed`].
///
/// # Safety
/// As [`core::alloc::GlobalAlloc::alloc_zeroed`].
pub(crate) unsafe fn alloc_zeroed<T: AllocTarget>(
    size: usize,
    align: usize,
    inner: &T::Allocator,
) -> *mut u8 {
    // SAFETY: the caller's promise; nothing will be read through the zeroes.
    unsafe { T::alloc_zeroed(size, align, inner, 0, 0, 0) }
}

/// Calls [`RequestTarget::request`].
///
/// # Safety
/// As [`RequestTarget::request`].
pub(crate) unsafe fn request<T: RequestTarget>(
    inner: &T::Allocator,
    request: &T::Request,
) -> *mut u8 {
    // SAFETY: the caller's promise; nothing will be read through the zeroes.
    unsafe { T::request(inner, request, 0, 0, 0) }
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
