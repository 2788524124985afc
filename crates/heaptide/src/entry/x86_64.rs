//! x86-64, System V ABI: arguments in rdi, rsi, rdx, rcx, r8, r9; the call pushed the return
//! address.

use core::arch::naked_asm;

use super::target::EntryTarget;

/// Jumps to [`EntryTarget::alloc`] with the caller's registers.
///
/// # Safety
/// As [`core::alloc::GlobalAlloc::alloc`].
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn alloc<A: EntryTarget>(
    inner: &A,
    size: usize,
    align: usize,
) -> *mut u8 {
    naked_asm!(
        "lea rcx, [rsp + 8]",
        "mov r8, rbp",
        "mov r9, [rsp]",
        "jmp {body}",
        body = sym A::alloc,
    )
}

/// Jumps to [`EntryTarget::alloc_zeroed`] with the caller's registers.
///
/// # Safety
/// As [`core::alloc::GlobalAlloc::alloc_zeroed`].
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn alloc_zeroed<A: EntryTarget>(
    inner: &A,
    size: usize,
    align: usize,
) -> *mut u8 {
    naked_asm!(
        "lea rcx, [rsp + 8]",
        "mov r8, rbp",
        "mov r9, [rsp]",
        "jmp {body}",
        body = sym A::alloc_zeroed,
    )
}

/// Jumps to [`EntryTarget::sample`] with the caller's registers.
///
/// # Safety
/// As [`EntryTarget::sample`].
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn sample<A: EntryTarget>(inner: &A, request: &A::Request) -> *mut u8 {
    naked_asm!(
        "lea rdx, [rsp + 8]",
        "mov rcx, rbp",
        "mov r8, [rsp]",
        "jmp {body}",
        body = sym A::sample,
    )
}
