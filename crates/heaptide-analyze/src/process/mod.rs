//! What the whole process holds, in parts, and which of them grow without end.
//!
//! A process may grow though no Rust call site leaks: a C library keeps memory, threads never end, the
//! allocator holds what is free. Each part of the process's account is judged by one [`rule`], with
//! the noise of its kind; what only the kernel or the recorder can answer for is shown, and accused of
//! nothing.

mod account;
mod class;
mod judge;
mod part;
mod progress;
mod readings;
mod rule;

pub use class::{PartClass, PartName};
pub(crate) use judge::judge;
pub use part::{Count, Part, Process, Retained, of_account, of_parts};
pub use progress::CPU_SECONDS;
