//! What threads share: lock-free structures over atomics, in memory of our own.
//!
//! All of it is safe Rust but the arena, and all of it runs under loom as well
//! (`shared/loom_models.rs`).

pub(crate) mod arena;
pub(crate) mod budget;
pub(crate) mod changes;
pub(crate) mod cohort;
#[cfg(not(loom))]
pub(crate) mod labels;
pub(crate) mod pool;
pub(crate) mod samples;
pub(crate) mod sites;
pub(crate) mod state;
pub(crate) mod trailer;

#[cfg(all(loom, test))]
mod loom_models;
