//! AArch64, AAPCS64: arguments in x0 to x5; the call put the return address into x30.

use core::alloc::GlobalAlloc;
use core::arch::naked_asm;

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
        "mov x3, sp",
        "mov x4, x29",
        "mov x5, x30",
        "b {body}",
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
        "mov x3, sp",
        "mov x4, x29",
        "mov x5, x30",
        "b {body}",
        body = sym crate::hook::alloc_zeroed::<A>,
    )
}
