//! Entry points: what the machine's registers hold when the hook is called.
//!
//! A function cannot see its caller's stack pointer and base pointer after its own prologue ran.
//! So each entry point is a few instructions without a prologue: it adds the caller's registers
//! to the arguments and jumps on. What it jumps to returns straight to the caller.

#[cfg_attr(target_arch = "x86_64", path = "x86_64.rs")]
#[cfg_attr(target_arch = "aarch64", path = "aarch64.rs")]
#[cfg_attr(not(any(target_arch = "x86_64", target_arch = "aarch64")), path = "other.rs")]
mod arch;

pub(crate) use arch::{alloc, alloc_zeroed, sample};
