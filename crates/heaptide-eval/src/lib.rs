//! How often the verdict is right, measured on programs whose answer is known.
//!
//! None of this is a check of the code: it is an experiment, with corpora of its own, and it needs
//! minutes. `cargo ci` starts it by name.

#![forbid(unsafe_code)]

pub mod analysis;
pub mod leaks;
pub mod programs;
pub mod verdict;
