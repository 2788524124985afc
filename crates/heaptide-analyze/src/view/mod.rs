//! What a picture of a run needs, beside its report: how each site stood at a few moments of the run.
//!
//! A report has the numbers behind each verdict; a page also draws them over time, and lets its
//! reader compare two moments. A run has more snapshots and sites than a picture has columns and
//! rows, so both are cut down here to a stated size: neighbouring slots of the axis share a
//! [`Column`], and the sites that matter least are summed up. Whoever draws sees no more than that.

mod columns;
mod read;
mod run_view;

pub(crate) use read::{Members, read};
pub use run_view::{Births, BornIn, Column, Limits, Live, RunView, SiteView};
