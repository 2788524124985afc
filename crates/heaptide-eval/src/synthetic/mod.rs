//! What never ran: sites and recordings that are made up, from seeds, so that they are the same on
//! every machine.
//!
//! A [`Trace`] is every block that one site ever allocates; [`record`] shows it as a recording would,
//! in one [`Rhythm`] or another. [`write()`] makes whole files, of any size, for whoever measures how
//! fast they are read. What the sites are *like* is the business of who makes them.

mod recording;
mod trace;

pub(crate) use recording::{Extent, write};
pub(crate) use trace::{Block, Rhythm, Seen, Trace, record};
