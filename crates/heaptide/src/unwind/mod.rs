//! Unwinding: from the caller of the hook to the root of its stack, exactly, without frame
//! pointers, locks or allocation.
//!
//! The tables of every module (`.eh_frame`) say for each code address where its frame ends and
//! where it keeps its return address; [`tables`] boils one address down to a [`Rule`](rule::Rule) of eight
//! bytes, [`RuleCache`] keeps those, [`walk()`] applies them. Reading the stack is a capability that
//! the caller hands in ([`StackMemory`]), so all of this is safe code that tests run over made-up
//! stacks; only [`modules`] and the hook touch real memory.

mod arch;
pub(crate) mod fallback;
pub(crate) mod modules;
mod observer;
mod rule;
mod stack;
#[cfg(all(test, not(loom)))]
pub(crate) mod synthetic;
mod tables;
mod walk;

pub(crate) use arch::IS_KNOWN;
pub(crate) use observer::WalkObserver;
pub(crate) use rule::{Rule, RuleCache};
pub(crate) use stack::{Caller, MAX_CHECKS, Scratch, StackMemory};
pub(crate) use walk::{Outcome, walk};
