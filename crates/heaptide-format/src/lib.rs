//! The recording: the only thing the watched process and the tools share.
//!
//! A recording is a file of JSON Lines. The first line is a [`Header`]; after it come [`Module`],
//! [`Site`], [`Names`] and [`Snapshot`] lines in any order that keeps one promise: a line only
//! refers to what stands above it in the same segment. `docs/FORMAT.md` describes the same thing
//! for people who read it with other tools, and a test holds the two together.
//!
//! **What you call.** A writer appends lines to a buffer with [`Line::write_to`]; a reader asks
//! [`Kind::of`] what a line is, and reads the ones it wants with [`Line::parse`]. [`Bucket`] is the
//! rule by which birth epochs are counted together; both sides need it.
//!
//! **What happens.** Bytes become values and values become bytes: this crate does no I/O and knows
//! no clock. Members that a reader does not know are passed over, and members that a writer did not
//! know have defaults, so recordings of every released version stay readable.
//!
//! ```
//! use heaptide_format::{Kind, Line, Snapshot};
//!
//! let mut bytes = Vec::new();
//! Line::Snapshot(Snapshot { seq: 7, ..Snapshot::default() }).write_to(&mut bytes);
//! assert_eq!(Kind::of(&bytes), Ok(Kind::Snapshot));
//!
//! let Line::Snapshot(snapshot) = Line::parse(&bytes)? else { panic!("another kind of line") };
//! assert_eq!(snapshot.seq, 7);
//! # Ok::<(), heaptide_format::Error>(())
//! ```

#![forbid(unsafe_code)]

// From the ground up: ids, what lines are made of, and lines.
mod ids;

mod account;
mod cohort;
mod header;
mod module;
mod site;
mod snapshot;
mod thinning;

mod error;
mod line;

pub use account::{Account, Parts, PartsSource};
pub use cohort::{BUCKETS, Bucket};
pub use error::Error;
pub use header::{Header, MAX_FRAMES, Mode, Parent};
pub use ids::{Epoch, ModuleId, ModuleOffset, SiteId};
pub use line::{Kind, Line};
pub use module::{Module, Name, NamedOffset, Names};
pub use site::{Frame, Site};
pub use snapshot::{
    Budget, Children, Cohort, Dropped, Growth, HeapTotals, NoRows, Reason, Rows, SiteRow, Snapshot,
    TagTotals, Unwinding,
};

/// The version this crate writes; it reads this one and every released version before it.
pub const FORMAT_VERSION: u32 = 1;
