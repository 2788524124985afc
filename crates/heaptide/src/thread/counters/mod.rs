//! What threads counted at each site: slots, and the birth cohorts in them.
//!
//! Every counter has one writer, the thread that owns it or has claimed it, and is read by the recorder
//! thread while it is written. Nothing here is a read-modify-write. How the recorder gets sums that never go
//! negative stands in [`crate::shared::cohort`].

#![forbid(unsafe_code)]

pub(crate) mod exact;
pub(crate) mod growth;
pub(crate) mod own;
pub(crate) mod sampled;
pub(crate) mod shared;
pub(crate) mod slot;
pub(crate) mod view;
