//! Unwinding: from the caller of the hook to the root of its stack, exactly, without frame
//! pointers, locks or allocation.
//!
//! The tables of every module (`.eh_frame`) say for each code address where its frame ends and
//! where it keeps its return address. [`tables`] reads one address's row as a [`Rule`] of eight bytes,
//! [`RuleCache`] keeps those, [`walk()`] applies them, [`modules`] knows which tables an address is in.
//!
//! What the walk promises, and what it asks for:
//! * It finds the return addresses of a stack, innermost first, and says whether there were more.
//! * It reads a word only on a page of which [`StackMemory::is_readable`] has said that it is there,
//!   with no gap between it and the stack pointer, whatever the tables say.
//! * It tells its [`WalkObserver`] of every word that decided where it went, in the order in which it
//!   read them: whoever finds the same words in the same places later has the same stack. It says so
//!   too if that is not so.
//! * It asks for the rule of each address once, in the order of the walk.
//!
//! Reading the stack is a right that the caller hands in, so all of this is safe code that tests run
//! over made-up stacks; only [`modules`] and the hook touch real memory.

mod arch;
#[cfg(any(
    feature = "names",
    not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))
))]
pub(crate) mod fallback;
pub(crate) mod modules;
mod observer;
mod rule;
mod stack;
#[cfg(all(test, not(loom)))]
pub(crate) mod synthetic;
mod tables;
mod walk;

pub(crate) use observer::WalkObserver;
pub(crate) use rule::{Rule, RuleCache};
pub(crate) use stack::{Caller, FrameBuffer, MAX_CHECKS, StackMemory};
pub(crate) use walk::{Outcome, walk};
