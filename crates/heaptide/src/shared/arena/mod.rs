//! Memory of our own: never from the allocator under watch, zeroed, and never given back.
//!
//! Everything handed out lives as long as the process and is shared by reference, so the tables
//! built on it are safe Rust over atomics. What no longer serves is reused by its table.

#[cfg(loom)]
mod loom;
#[cfg(not(loom))]
#[expect(unsafe_code, reason = "turns mapped memory into references")]
mod mapped;

#[cfg(loom)]
pub(crate) use loom::{Arena, Link, RowLink, Zeroed};
#[cfg(not(loom))]
pub(crate) use mapped::{Arena, Link, RowLink, Zeroed};
