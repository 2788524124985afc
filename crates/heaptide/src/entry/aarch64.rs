//! AArch64, AAPCS64: arguments in x0 to x5; the call put the return address into x30.
//!
//! It is not signed there: a function signs it when it saves it. `bti c` lets these be reached
//! through a pointer where branch targets are enforced; on older machines it does nothing.

use core::arch::naked_asm;

use super::target::{AllocTarget, RequestTarget};

/// Jumps to [`AllocTarget::alloc`] with the caller's registers.
///
/// # Safety
/// As [`core::alloc::GlobalAlloc::alloc`].
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn alloc<T: AllocTarget>(
    inner: &T::Allocator,
    size: usize,
    align: usize,
) -> *mut u8 {
    naked_asm!(
        "hint #34", // bti c
        "mov x3, sp",
        "mov x4, x29",
        "mov x5, x30",
        "b {body}",
        body = sym T::alloc,
    )
}

/// Jumps to [`AllocTarget::alloc_zeroed`] with the caller's registers.
///
/// # Safety
/// As [`core::alloc::GlobalAlloc::alloc_zeroed`].
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn alloc_zeroed<T: AllocTarget>(
    inner: &T::Allocator,
    size: usize,
    align: usize,
) -> *mut u8 {
    naked_asm!(
        "hint #34", // bti c
        "mov x3, sp",
        "mov x4, x29",
        "mov x5, x30",
        "b {body}",
        body = sym T::alloc_zeroed,
    )
}

/// Jumps to [`RequestTarget::request`] with the caller's registers.
///
/// # Safety
/// As [`RequestTarget::request`].
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn request<T: RequestTarget>(
    inner: &T::Allocator,
    request: &T::Request,
) -> *mut u8 {
    naked_asm!(
        "mov x2, sp",
        "mov x3, x29",
        "mov x4, x30",
        "b {body}",
        body = sym T::request,
    )
}
