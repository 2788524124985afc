//! Made-up sites and recordings with known answers, for tests and for `heaptide-eval`.
//!
//! A test says which blocks a site bears and how long they live, or how large its one container is;
//! the kit says what each snapshot shows of that, as rows, as a series, or as the text of a
//! recording written by the format's own writer. All is counted, nothing is drawn by lot.
//!
//! Experiments need chance and size instead, from seeds, so that they are the same on every machine.
//! A [`Trace`] is every block that one site ever allocates; [`record`] shows it as a recording would,
//! in one [`Rhythm`] or another. [`write_service`] makes whole files, of any size, for whoever
//! measures how fast they are read.
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

mod service;
mod trace;

pub use process::{Process, text};
pub use rows::{Born, container_rows, rows, series};
pub use service::{Extent, write_service};
pub use trace::{Block, Rhythm, Seen, SeenSite, Trace, record};
