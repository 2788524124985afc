//! Does this call site leak?
//!
//! A pure function from the series of a site to a [`Verdict`]. Two channels look at it. *Objects*
//! ([`objects`]) asks whether old blocks keep piling up; *containers* ([`containers`]) asks whether
//! one block keeps doubling on schedule with the work. Each test that fails names a healthy class
//! instead of a leak. `docs/VERDICT.md` explains the rule and gives its measured error rates.

mod class;
mod containers;
mod counter;
mod eprocess;
mod evidence;
mod objects;
mod rate;
mod rule;

use serde::Serialize;

pub use class::{Channel, Class, Confidence};
pub use containers::{Container, ContainerStep};
pub use counter::Fit;
pub use eprocess::e_value;
pub use evidence::{CohortBar, Condition, Evidence, Excluded, Stage};
pub use objects::Objects;
pub use rate::{Rate, unit_of};
pub use rule::Rule;

use crate::axis::Axis;
use crate::series::SiteSeries;
use containers::classify_container;
use counter::Counter;
pub(crate) use counter::SECONDS;
use eprocess::e_bh;
use objects::classify_objects;
pub(crate) use rate::{LEAST_WORSE_BYTES_PER_OP, WORSE_FACTOR};

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

/// Judges one closed series. Confidence is at most [`Confidence::Likely`]: to be certain takes all
/// sites of a run (see [`classify_sites`]).
pub fn classify_site(axis: &Axis, rule: &Rule, series: &SiteSeries) -> Verdict {
    classify_by(axis, rule, &Counters::new(axis, rule), series)
}

/// Judges all sites of a run, in their order, each on its own axis: they may differ from the run's
/// in how old a block must be to count.
pub fn classify_sites<'a>(
    axis: &Axis,
    rule: &Rule,
    sites: impl IntoIterator<Item = (&'a Axis, &'a SiteSeries)>,
) -> Vec<Verdict> {
    let counters = Counters::new(axis, rule);
    let classify = |(axis, series)| classify_by(axis, rule, &counters, series);
    let mut verdicts: Vec<Verdict> = sites.into_iter().map(classify).collect();
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
    offered: Vec<Counter>,
    all: Vec<Counter>,
}

impl Counters {
    fn new(axis: &Axis, rule: &Rule) -> Self {
        let offered = counter::counters(axis, rule.work.as_deref());
        Self { offered, all: counter::counters(axis, None) }
    }
}

fn classify_by(axis: &Axis, rule: &Rule, counters: &Counters, series: &SiteSeries) -> Verdict {
    let Counters { offered, all } = counters;
    let by_births = counter::of_births(offered, axis, series);
    let rises = containers::rises(axis, series);
    let by_steps = counter::of_steps(offered, &rises).unwrap_or_else(|| by_births.clone());
    let objects = classify_objects(axis, rule, &by_births, series);
    let container = {
        let by = |counter| classify_container(axis, rule, counter, all, series, &rises);
        let rivals = by_steps.rivals.iter().map(|rival| by(rival));
        by(by_steps.counter).defer_to_rivals(rivals, axis, rule)
    };
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
        Channel::Objects => (objects.rate(by_births.counter), by_births.fits),
        Channel::Container => (container.rate(by_steps.counter), by_steps.fits),
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
