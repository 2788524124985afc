//! x86-64, System V ABI: arguments in rdi, rsi, rdx, rcx, r8, r9; the call pushed the return
//! address.

use core::alloc::GlobalAlloc;
use core::arch::naked_asm;

use crate::hook::Request;

/// Jumps to [`crate::hook::alloc`] with the caller's registers.
///
/// # Safety
/// As [`GlobalAlloc::alloc`].
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn alloc<A: GlobalAlloc>(
    inner: &A,
    size: usize,
    align: usize,
) -> *mut u8 {
    naked_asm!(
        "lea rcx, [rsp + 8]",
        "mov r8, rbp",
        "mov r9, [rsp]",
        "jmp {body}",
        body = sym crate::hook::alloc::<A>,
    )
}

/// Jumps to [`crate::hook::alloc_zeroed`] with the caller's registers.
///
/// # Safety
/// As [`GlobalAlloc::alloc_zeroed`].
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn alloc_zeroed<A: GlobalAlloc>(
    inner: &A,
    size: usize,
    align: usize,
) -> *mut u8 {
    naked_asm!(
        "lea rcx, [rsp + 8]",
        "mov r8, rbp",
        "mov r9, [rsp]",
        "jmp {body}",
        body = sym crate::hook::alloc_zeroed::<A>,
    )
}

/// Jumps to [`crate::hook::sample`] with the caller's registers.
///
/// # Safety
/// As [`crate::hook::sample`].
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn sample<A: GlobalAlloc>(inner: &A, request: &Request) -> *mut u8 {
    naked_asm!(
        "lea rdx, [rsp + 8]",
        "mov rcx, rbp",
        "mov r8, [rsp]",
        "jmp {body}",
        body = sym crate::hook::sample::<A>,
    )
}
