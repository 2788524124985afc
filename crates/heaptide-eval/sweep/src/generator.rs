//! What a generator is.

use fastrand::Rng;

/// State that requests change.
pub(crate) trait Played {
    fn serve(&mut self, now: &Now, rng: &mut Rng);
}

/// How long a run is.
pub(crate) struct Run {
    /// Requests before each snapshot.
    pub(crate) requests: Vec<u64>,
    /// Requests of the whole run.
    pub(crate) all: u64,
}

impl Run {
    /// A run of the same length has about as much to do, whatever the number of its snapshots.
    pub(crate) fn new(n_snapshots: u32, rng: &mut Rng) -> Self {
        let all = 2_000.0 * 6.0_f64.powf(rng.f64());
        let mean = all / f64::from(n_snapshots);
        let spread = if rng.bool() { 0.0 } else { 0.5 };
        let one = |_| (mean * (1.0 + spread * (2.0 * rng.f64() - 1.0))).max(1.0) as u64;
        let requests: Vec<u64> = (0..n_snapshots).map(one).collect();
        let all = requests.iter().sum();
        Self { requests, all }
    }

    /// A share of all requests, at least one.
    pub(crate) fn part(&self, share: f64) -> u64 {
        ((share * self.all as f64) as u64).max(1)
    }
}

/// Where a run stands.
pub(crate) struct Now {
    /// In requests,
    pub(crate) request: u64,
    /// and as a share of the run.
    pub(crate) share: f64,
}

#[derive(Clone, Copy)]
pub(crate) enum Label {
    Healthy,
    Leak,
    /// Healthy, but until its bound shows it does to the last byte what a leak does.
    Open,
}

impl Label {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Leak => "leak",
            Self::Open => "open",
        }
    }
}

/// Something that can be played.
pub(crate) struct Generator {
    pub(crate) name: &'static str,
    pub(crate) label: Label,
    pub(crate) start: fn(&Run, &mut Rng) -> Box<dyn Played>,
}
