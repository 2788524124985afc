//! Recordings: started from code or from the environment, written by a thread of their own.
//!
//! The thread that records does everything slow: sums the counters, reads `/proc`, writes lines.
//! The hook never waits for it and it never waits for the hook. What it allocates itself is not
//! the program's and is not counted.

#![forbid(unsafe_code)]

mod account;
mod children;
mod collect;
mod complaints;
mod config;
#[cfg(all(test, not(loom)))]
mod crash;
mod decimate;
mod disk;
pub(crate) mod environment;
mod error;
mod file;
mod handle;
mod lifecycle;
mod mappings;
#[cfg(feature = "names")]
mod names;
mod place;
mod process;
mod request;
mod segments;
mod session;
mod signal_names;
mod sums;
mod tag_reader;
mod termination;
mod thread;
mod threshold;

pub use config::Builder;
pub use error::Error;
pub use handle::Recorder;
pub use heaptide_format::Mode;
pub use tag_reader::{SiteCounts, TagReader};
pub use threshold::Threshold;
