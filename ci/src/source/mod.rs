//! The workspace's Rust, read with a parser: which packages there are, which modules they are made
//! of, and which module imports which.
//!
//! `tidy` holds the order of modules with it, and `house` counts with it. From the ground up: a
//! `file` is text with a path, a `package` turns files into modules, `imports` finds what a module
//! names outside of itself, and `graph` joins those into arrows and finds the circles among them.

pub(crate) mod attributes;
pub(crate) mod file;
pub(crate) mod graph;
pub(crate) mod imports;
pub(crate) mod package;
