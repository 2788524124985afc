//! What an event means: the block's site, its trailer, the counts. The engine: it is told addresses,
//! sizes and stacks, and does not know who tells.
//!
//! The seams of the design meet here and nowhere else: *stack → site* ([`crate::thread::stack_cache`],
//! [`crate::unwind`], [`crate::shared::sites`]), *block trailer* ([`crate::shared::trailer`]), *counters*
//! ([`crate::thread::counters`]), *epoch* ([`crate::shared::state`]).

#![forbid(unsafe_code)]

pub(crate) mod exact;
mod guard;
pub(crate) mod lookup;
mod miss;
pub(crate) mod sampled;
#[cfg(feature = "verify")]
pub mod verify;
