//! Recordings in, named and judged findings out.
//!
//! Everything here is a pure function of its input: no clock, no environment, no network. Files
//! are opened in two places only: [`load`] reads recordings, [`symbols`] reads executables.

#![forbid(unsafe_code)]

pub mod axis;
pub mod baseline;
pub mod calltree;
pub mod compare;
pub mod diff;
pub mod dump;
pub mod finding;
pub mod identity;
pub mod judge;
pub mod load;
pub mod pipeline;
pub mod policy;
pub mod run_report;
pub mod series;
pub mod site;
pub mod symbols;
pub mod timeline;
pub mod verdict;

// The old name, until its callers have moved.
pub use pipeline as recorded;
