//! How the checks, the benchmark and the evaluation start other programs.
//!
//! The checks themselves are the program `ci`. This library is what they share with
//! `heaptide-bench` and `heaptide-eval`, which `cargo ci` runs as programs of their own, so that
//! looking at the formatting does not wait for an analyzer to compile.

#![forbid(unsafe_code)]

pub mod program;
pub mod tool;
