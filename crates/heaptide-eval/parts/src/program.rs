//! What a program is.

#![forbid(unsafe_code)]

use fastrand::Rng;

/// A program's state, which requests change.
pub(crate) trait Played {
    fn serve(&mut self, now: &Now, rng: &mut Rng);
}

/// Where a run stands.
pub(crate) struct Now {
    /// In requests,
    pub(crate) request: u64,
    /// and as a share of the run.
    pub(crate) share: f64,
}

/// Something that can be played.
pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// The parts that grow, `threads`, `descriptors` or `rust`; with a `?` where a run of this length cannot
    /// tell, and with `=` and the bytes per request where all runs have the same.
    pub(crate) grows: &'static [&'static str],
    pub(crate) start: fn(&mut Rng) -> Box<dyn Played>,
}
