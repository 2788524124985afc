//! The hook: `GlobalAlloc` over the inner allocator. It calls the inner allocator once, for the
//! caller, and tells [`crate::event`]; nothing else.
//!
//! Order is everything here (`docs/SAFETY.md`, rule 4): a block is counted after it exists, and its end
//! is counted before it goes. No lock is held and no stack is unwound while the inner
//! allocator works: where a block will count is found out before it is made.

mod dispatch;
mod exact;
mod layout;
mod sampled;
mod waiting;
