//! The series of each site: what the verdict needs of it, summed up while its rows go by.
//!
//! A row holds a whole list of cohorts; keeping them all would cost the square of the run's
//! length. The axis is known beforehand, so a series keeps four numbers per slot and the cohorts of
//! the last row only.

mod cohorts;
mod observation;
mod read;
mod site_series;
mod slot_rows;
mod totals;

pub use cohorts::SlotCohort;
pub(crate) use read::each_slot;
pub use read::{SeriesAndWarnings, read};
pub use site_series::{SiteSeries, SlotRow};
pub use totals::Totals;
