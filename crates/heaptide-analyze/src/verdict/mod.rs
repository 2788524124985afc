//! Does this call site leak?
//!
//! A pure function from the series of a site to a [`Verdict`]. Two channels look at it. *Objects*
//! ([`objects`]) asks whether old blocks keep piling up; *containers* ([`containers`]) asks whether
//! one block keeps doubling on schedule with the work. Each test that fails names a healthy class
//! instead of a leak. `docs/VERDICT.md` explains the rule and gives its measured error rates.

mod containers;
mod evalue;
mod evidence;
mod objects;
mod work;

use serde::{Deserialize, Serialize};

pub use containers::{Container, ContainerStep};
pub use evalue::{e_bh, e_value};
pub use evidence::{CohortBar, Condition, Evidence, Excluded, Stage};
pub use objects::Objects;
pub use work::{Fit, Progress, SECONDS};

use crate::axis::Axis;
use crate::series::SiteSeries;

/// What a site does, as far as the run can tell. Ordered from worst to best.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Old blocks pile up, or a container keeps doubling, in step with the work.
    Leak,
    /// It looks like a leak, but the run is too short to say so.
    Suspect,
    /// It grew, and is slowing down: a cache that fills, a set of keys that is exhausted.
    Saturating,
    /// A container that grew and is overdue to grow again.
    Settled,
    /// A bounded cache or queue: old blocks are replaced by new ones.
    Turnover,
    /// A few steps: lazy start-up, a reload, a plug-in.
    OneOff,
    /// Live blocks follow the load; none of them grows old.
    Load,
    /// Nothing that stays.
    #[default]
    Stable,
}

impl Class {
    /// All classes, worst first.
    pub const ALL: [Self; 8] = [
        Self::Leak,
        Self::Suspect,
        Self::Saturating,
        Self::Settled,
        Self::Turnover,
        Self::OneOff,
        Self::Load,
        Self::Stable,
    ];

    /// The word people read.
    pub fn word(self) -> &'static str {
        match self {
            Self::Leak => "leak",
            Self::Suspect => "suspect",
            Self::Saturating => "saturating",
            Self::Settled => "settled",
            Self::Turnover => "turnover",
            Self::OneOff => "one-off",
            Self::Load => "load",
            Self::Stable => "stable",
        }
    }
}

/// Which question a verdict answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// Old blocks keep piling up.
    Objects,
    /// A block keeps growing.
    Container,
}

/// How sure a leak is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// All gates, and the false discovery rate over all sites of the run is at most α.
    Certain,
    /// All gates, and evidence against chance of at least 1/α for this site.
    Likely,
    /// Undecided.
    Suspect,
}

/// How fast a site, or sites together, grow.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Rate {
    /// The work counter it is measured in, or `"seconds"`.
    pub work: String,
    /// Blocks kept per unit of work.
    pub objects_per_op: f64,
    /// Bytes kept per unit of work.
    pub bytes_per_op: f64,
    /// What `bytes_per_op` is very probably below.
    pub bytes_per_op_upper: f64,
    /// Units of work done per hour in this run.
    pub ops_per_hour: f64,
}

impl Rate {
    /// Blocks kept per hour at this run's load.
    pub fn objects_per_hour(&self) -> f64 {
        self.objects_per_op * self.ops_per_hour
    }

    /// Bytes kept per hour at this run's load.
    pub fn bytes_per_hour(&self) -> f64 {
        self.bytes_per_op * self.ops_per_hour
    }

    /// No growth, in the same unit of work.
    pub(crate) fn none(&self) -> Self {
        let (work, ops_per_hour) = (self.work.clone(), self.ops_per_hour);
        Self { work, ops_per_hour, ..Self::default() }
    }

    /// The same growth in another unit of work, of which so many are done per hour.
    pub fn per(&self, work: &str, ops_per_hour: f64) -> Self {
        if self.work == work {
            return self.clone();
        }
        let scale = if ops_per_hour > 0.0 { self.ops_per_hour / ops_per_hour } else { 0.0 };
        Self {
            work: work.to_owned(),
            objects_per_op: scale * self.objects_per_op,
            bytes_per_op: scale * self.bytes_per_op,
            bytes_per_op_upper: scale * self.bytes_per_op_upper,
            ops_per_hour,
        }
    }

    /// Adds growth that happens beside this, in this unit of work.
    pub fn add(&mut self, other: &Self) {
        let other = other.per(&self.work, self.ops_per_hour);
        self.objects_per_op += other.objects_per_op;
        self.bytes_per_op += other.bytes_per_op;
        self.bytes_per_op_upper += other.bytes_per_op_upper;
    }
}

/// What a site is judged to be, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// The class.
    pub class: Class,
    /// The channel that decided it.
    pub channel: Channel,
    /// For leaks and suspects.
    pub confidence: Option<Confidence>,
    /// Zero unless it grows.
    pub rate: Rate,
    /// What its growth was held against, best first; the first is the unit of `rate`. Empty
    /// unless it grows and there was a choice.
    pub fits: Vec<Fit>,
    /// For suspects: about how many more snapshots decide, at the pace so far.
    pub needs_snapshots: Option<u32>,
    /// What a person can check.
    pub evidence: Evidence,
}

/// The constants of the rule that a caller may set.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Fewer slots than this decide nothing.
    pub least_slots: usize,
    /// The accepted rate of false discoveries.
    pub alpha: f64,
    /// The work counter to judge by; absent: the one that explains the growth best.
    pub work: Option<String>,
}

impl Default for Rule {
    fn default() -> Self {
        Self { least_slots: 20, alpha: 0.01, work: None }
    }
}

/// Judges one closed series. Confidence is at most [`Confidence::Likely`]: to be certain takes all
/// sites of a run (see [`judge_sites`]).
pub fn judge_site(axis: &Axis, rule: &Rule, series: &SiteSeries) -> Verdict {
    judge_with(axis, rule, &Counters::new(axis, rule), series)
}

/// Judges all sites of a run, in their order, each on its own axis: they may differ from the run's
/// in how old a block must be to count.
pub fn judge_sites<'a>(
    axis: &Axis,
    rule: &Rule,
    sites: impl IntoIterator<Item = (&'a Axis, &'a SiteSeries)>,
) -> Vec<Verdict> {
    let counters = Counters::new(axis, rule);
    let judge = |(axis, series)| judge_with(axis, rule, &counters, series);
    let mut verdicts: Vec<Verdict> = sites.into_iter().map(judge).collect();
    let e_values: Vec<f64> = verdicts.iter().map(|v| v.evidence.objects.e_value).collect();
    for (verdict, q) in verdicts.iter_mut().zip(e_bh(&e_values)) {
        verdict.evidence.q_value = q;
        let proven = verdict.channel == Channel::Objects && q <= rule.alpha;
        if verdict.class == Class::Leak && proven {
            verdict.confidence = Some(Confidence::Certain);
        }
    }
    verdicts
}

/// The counters that growth may be measured in, and all whose load may explain it.
struct Counters {
    offered: Vec<Progress>,
    all: Vec<Progress>,
}

impl Counters {
    fn new(axis: &Axis, rule: &Rule) -> Self {
        let offered = work::counters(axis, rule.work.as_deref());
        Self { offered, all: work::counters(axis, None) }
    }
}

fn judge_with(axis: &Axis, rule: &Rule, counters: &Counters, series: &SiteSeries) -> Verdict {
    let Counters { offered, all } = counters;
    let by_births = work::of_births(offered, axis, series);
    let rises = containers::rises(axis, series);
    let by_steps = work::of_steps(offered, &rises).unwrap_or_else(|| by_births.clone());
    let objects = objects::judge(axis, rule, &by_births, series);
    let contains = |progress| containers::judge(axis, rule, progress, all, series, &rises);
    let mut container = contains(by_steps.progress);
    container.hear(by_steps.rivals.iter().map(|rival| contains(rival)), axis, rule);
    let channel = decide(objects.class, &container);
    let (class, needs_snapshots) = match channel {
        Channel::Objects => (objects.class, objects.needs_snapshots),
        Channel::Container => (container.class, container.needs_snapshots),
    };
    let confidence = match class {
        Class::Leak => Some(Confidence::Likely),
        Class::Suspect => Some(Confidence::Suspect),
        _ => None,
    };
    let (rate, fits) = match channel {
        _ if confidence.is_none() => Default::default(),
        Channel::Objects => (objects.rate(by_births.progress), by_births.fits),
        Channel::Container => (container.rate(by_steps.progress), by_steps.fits),
    };
    let evidence = evidence::gather(axis, series, objects, container, class);
    Verdict { class, channel, confidence, rate, fits, needs_snapshots, evidence }
}

/// The worse of the two channels speaks; where neither sees growth, the objects do, unless a
/// container is all there is to tell.
fn decide(objects: Class, container: &Container) -> Channel {
    let worse = container.class < objects && container.class <= Class::Suspect;
    let settled = objects == Class::Stable && container.class != Class::Stable;
    if worse || settled { Channel::Container } else { Channel::Objects }
}
