//! x86-64, System V ABI: arguments in rdi, rsi, rdx, rcx, r8, r9; the call pushed the return
//! address.

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
    size: usize,
    align: usize,
    inner: &T::Allocator,
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
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "mov rsp, rdi",
        "mov rdi, rdx",
        "call rsi",
        "mov rsp, rbp",
        "pop rbp",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_endproc",
    )
}
