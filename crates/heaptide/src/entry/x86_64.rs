//! x86-64, System V ABI: arguments in rdi, rsi, rdx, rcx, r8, r9; the call pushed the return
//! address.

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
        "lea rcx, [rsp + 8]",
        "mov r8, rbp",
        "mov r9, [rsp]",
        "jmp {body}",
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
        "lea rcx, [rsp + 8]",
        "mov r8, rbp",
        "mov r9, [rsp]",
        "jmp {body}",
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
        "lea rdx, [rsp + 8]",
        "mov rcx, rbp",
        "mov r8, [rsp]",
        "jmp {body}",
        body = sym T::request,
    )
}
