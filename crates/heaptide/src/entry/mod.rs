//! Entry points: what the machine's registers hold when the hook is called.
//!
//! A function cannot see its caller's stack pointer and base pointer after its own prologue ran.
//! So each entry point is a few instructions without a prologue: it adds the caller's registers
//! to the arguments and jumps on. What it jumps to returns straight to the caller.
//!
//! And the way to a stack of our own ([`on_scratch_stack`]), for what needs more of it than a caller
//! can be expected to have.

mod stack;
mod switch;
mod target;

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod other;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
pub(crate) use aarch64::{alloc, alloc_zeroed, request};
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(crate) use other::{alloc, alloc_zeroed, request};
pub(crate) use stack::ThreadStack;
pub(crate) use switch::{on_scratch_stack, with_room_in_debug_builds};
pub(crate) use target::{AllocTarget, RequestTarget};
#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::{alloc, alloc_zeroed, request};
