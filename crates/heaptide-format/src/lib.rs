//! The recording: the only thing the watched process and the tools share.
//!
//! A recording is a file of JSON Lines. The first line is a [`Header`]; after it come [`Module`],
//! [`Site`], [`Names`] and [`Snapshot`] lines in any order that keeps one promise: a line only
//! refers to what stands above it in the same segment. `docs/FORMAT.md` describes the same thing
//! for people who read it with other tools, and a test holds the two together.
//!
//! This crate does no I/O and knows no clock: [`Line::write_to`] appends bytes to a buffer and
//! [`Line::parse`] reads one line of bytes.

#![forbid(unsafe_code)]

mod cohort;
mod error;
mod header;
mod ids;
mod line;
mod module;
mod site;
mod snapshot;

pub use cohort::{BUCKETS, Bucket};
pub use error::Error;
pub use header::{Header, Mode};
pub use ids::{Epoch, ModuleId, ModuleOffset, SiteId};
pub use line::{Kind, Line};
pub use module::{Module, Name, NamedOffset, Names};
pub use site::{Frame, Site};
pub use snapshot::{
    Cohort, Dropped, Growth, HeapTotals, NoRows, Reason, Rows, SiteRow, Snapshot, TagTotals,
    Unwinding,
};

/// The version this crate writes; it reads this one and every released version before it.
pub const FORMAT_VERSION: u32 = 1;
