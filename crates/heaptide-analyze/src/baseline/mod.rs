//! Growth that was accepted once: the file that says so, and how it matches what is judged.

mod accepted;
mod matching;

pub use accepted::{Accepted, AcceptedPart, Baseline, BaselineError, Update};
pub use matching::BaselineMatch;
pub(crate) use matching::Matching;
