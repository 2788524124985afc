//! Tables for a terminal, which fit the given width: call sites ([`show`], [`diff`]) and what the whole
//! process holds ([`parts`]).

mod layout;
pub mod parts;
mod sites;

pub use sites::{Order, diff, show};
