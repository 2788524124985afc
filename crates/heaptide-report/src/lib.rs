//! Findings in, bytes out: one pure writer per output.
//!
//! Each output is a module with a `write`: the same report gives the same bytes. What people read
//! takes its words from `sentence`, `phrase` and `number`, so all outputs say the same.

#![forbid(unsafe_code)]

mod call_tree;
pub mod github;
pub mod human;
pub mod json;
pub mod junit;
pub mod markdown;
mod number;
mod phrase;
pub mod sarif;
mod sentence;
mod sparkline;
pub mod table;
pub mod tap;
mod view;

pub use view::{Colour, View};
