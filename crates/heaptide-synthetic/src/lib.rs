//! Made-up sites and recordings with known answers, for tests.
//!
//! A test says which blocks a site bears and how long they live, or how large its one container is;
//! the kit says what each snapshot shows of that, as rows, as a series, or as the text of a
//! recording written by the format's own writer. All is counted, nothing is drawn by lot.
//!
//! ```
//! use heaptide_synthetic::{Born, Process};
//!
//! // Of ten blocks per request nine live for one snapshot and one for ever.
//! let mut process = Process::of_snapshots(40);
//! process.site("shop::login", |_| vec![Born::living(9, 1), Born::for_ever(1)]);
//! let (timeline, text) = (process.timeline(), process.recording());
//! assert_eq!(timeline.points.len(), 40);
//! assert_eq!(text.iter().filter(|byte| **byte == b'\n').count(), 40 + 4);
//! ```

#![forbid(unsafe_code)]

mod process;
mod rows;

pub use process::Process;
pub use rows::{Born, container_rows, rows, series};
