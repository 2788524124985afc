//! Findings in, bytes out: one pure writer per output.
//!
//! **What you call.** A report goes to `write` of the module that is named after its format:
//! [`human`] for a terminal, [`html`] for a browser, [`json`] for programs, [`markdown`], [`github`],
//! [`gitlab`] and [`sarif`] for code review, [`junit`] and [`tap`] for test runners. One snapshot, or the
//! difference of two, goes to [`table`], and what of it the whole process holds to [`table::parts`]. A
//! [`View`] says who will look: how wide, in which colours, and from which directory.
//!
//! **What happens.** Nothing is read and nothing is kept, so the same findings give the same bytes.
//! All outputs take their words from the same private modules (`number`, `sentence`, `phrase`), so
//! that a finding is told alike in all of them. What was read from a recording, an executable or a policy
//! gets into an output by one gate, [`Escaped`].
//!
//! ```
//! use heaptide_analyze::Terms;
//! use heaptide_analyze::symbols::ElfResolver;
//! use heaptide_report::{View, human};
//!
//! let here = env!("CARGO_MANIFEST_DIR");
//! let recording = format!("{here}/../heaptide-format/tests/data/v1-shop.jsonl");
//! let mut resolver = ElfResolver::new(Vec::new());
//! let report = heaptide_analyze::judge(&[recording.into()], &mut resolver, &Terms::default())?;
//! let text = human::write(&report, &View { width: 72, ..View::default() });
//! assert!(text.contains("inconclusive (exit 3)"), "{text}");
//! # Ok::<(), heaptide_analyze::load::Error>(())
//! ```

#![forbid(unsafe_code)]

// What the outputs are made of, from the ground up.
mod escape;
pub mod number;
mod parts;
mod sparkline;
mod view;

mod rate;
mod sentence;

mod process;

mod phrase;

mod call_tree;
mod fields;
mod location;

// One output each.
pub mod human;
pub mod json;

pub mod alert;
pub mod github;
pub mod gitlab;
pub mod html;
pub mod junit;
pub mod markdown;
pub mod prometheus;
pub mod sarif;
pub mod table;
pub mod tap;

pub use escape::{Escaped, Html, Rules, Terminal};
pub use number::bytes;
pub use phrase::outcome;
pub use view::{Colour, View};
