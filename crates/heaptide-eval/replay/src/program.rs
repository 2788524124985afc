//! What a program is, and what it is told about the run it is in.

use fastrand::Rng;

/// One program: state that requests change.
pub(crate) trait Program {
    fn serve(&mut self, now: &Now, rng: &mut Rng);
}

/// How long a run is.
pub(crate) struct Run {
    pub(crate) epochs: f64,
    pub(crate) requests: f64,
}

impl Run {
    /// A part of all requests, at least one.
    pub(crate) fn part(&self, share: f64) -> usize {
        ((share * self.requests) as usize).max(1)
    }
}

/// Where a run stands.
pub(crate) struct Now {
    /// Epochs since it began.
    pub(crate) time: f64,
    /// The same, as a share of the whole run.
    pub(crate) share: f64,
    /// Requests that were served before this one.
    pub(crate) request: u64,
}
