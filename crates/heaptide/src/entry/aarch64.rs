//! AArch64, AAPCS64: arguments in x0 to x5; the call put the return address into x30.
//!
//! It is not signed there: a function signs it when it saves it. `bti c` lets these be reached
//! through a pointer where branch targets are enforced; on older machines it does nothing.

use core::arch::naked_asm;
use core::ffi::c_void;

use super::target::{AllocTarget, RequestTarget};

/// Jumps to [`AllocTarget::alloc`] with the caller's registers.
///
/// # Safety
/// As [`core::alloc::GlobalAlloc::alloc`].
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn alloc<T: AllocTarget>(
    size: usize,
    align: usize,
    inner: &T::Allocator,
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
    size: usize,
    align: usize,
    inner: &T::Allocator,
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

/// Calls `body` with `argument` on the stack that begins below `top`, and comes back.
///
/// The table says where the caller's frame is in terms of the base pointer, so debuggers, and
/// profilers in a signal handler, find their way from the one stack to the other.
///
/// # Safety
/// `top` must be the end of a stack that nobody uses, a multiple of 16, and `body` must not unwind.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn switch_stack(
    top: u64,
    body: unsafe extern "C" fn(*mut c_void),
    argument: *mut c_void,
) {
    naked_asm!(
        ".cfi_startproc",
        "hint #34", // bti c
        "stp x29, x30, [sp, #-16]!",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset x29, -16",
        ".cfi_offset x30, -8",
        "mov x29, sp",
        ".cfi_def_cfa_register x29",
        "mov sp, x0",
        "mov x0, x2",
        "blr x1",
        "mov sp, x29",
        "ldp x29, x30, [sp], #16",
        ".cfi_def_cfa sp, 0",
        "ret",
        ".cfi_endproc",
    )
}
