//! Does this call site leak?
//!
//! A pure function from the series of a site to a [`Verdict`]. Two channels look at it. *Objects*
//! ([`objects`]) asks whether old blocks keep piling up; *containers* ([`containers`]) asks whether
//! one block keeps doubling on schedule with the work. Each test that fails names a healthy class
//! instead of a leak. `docs/VERDICT.md` explains the rule and gives its measured error rates.

mod class;
mod containers;
mod counter;
mod elements;
mod eprocess;
mod evidence;
mod level;
mod objects;
mod rate;
mod rule;

use std::collections::BTreeSet;

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
pub(crate) use counter::SECONDS;
use counter::{ChosenCounter, Counter};
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
    Draft::new(axis, rule, &Counters::new(axis, rule), series).verdict()
}

/// Judges all sites of a run, in their order, each on its own axis: they may differ from the run's
/// in how old a block must be to count. `related` names, by index, the sites that may allocate what this
/// one keeps in a container; it is asked of containers that grow.
pub fn classify_sites<'a>(
    axis: &Axis,
    rule: &Rule,
    sites: impl IntoIterator<Item = (&'a Axis, &'a SiteSeries)>,
    related: impl Fn(usize) -> BTreeSet<usize>,
) -> Vec<Verdict> {
    let counters = Counters::new(axis, rule);
    let draft = |(axis, series)| Draft::new(axis, rule, &counters, series);
    let mut drafts: Vec<Draft<'_>> = sites.into_iter().map(draft).collect();
    hear_elements(&mut drafts, related);
    let mut verdicts: Vec<Verdict> = drafts.into_iter().map(Draft::verdict).collect();
    let e_values: Vec<f64> = verdicts.iter().map(|v| v.evidence.objects.e_value).collect();
    for (verdict, q) in verdicts.iter_mut().zip(e_bh(&e_values)) {
        verdict.evidence.q_value = q;
        let proven = verdict.channel == Channel::Objects && q <= rule.alpha;
        // Not to have seen it end is no certainty: it goes on to the last, and where nothing was
        // ever freed it may all be freed at once.
        let Evidence { frees, objects, .. } = &verdict.evidence;
        if verdict.class == Class::Leak && proven && objects.goes_on && *frees > 0 {
            verdict.confidence = Some(Confidence::Certain);
        }
    }
    verdicts
}

/// Lets no container be worse than the elements that fill it.
fn hear_elements(drafts: &mut [Draft<'_>], related: impl Fn(usize) -> BTreeSet<usize>) {
    let grows = |k: &usize| {
        let it = &drafts[*k];
        it.channel() == Channel::Container && it.container.class <= Class::Suspect
    };
    let heard: Vec<(usize, Class)> = (0..drafts.len())
        .filter(grows)
        .map(|k| {
            let it = &drafts[k];
            let last_slot = it.axis.len().saturating_sub(1);
            let elements = related(k)
                .into_iter()
                .filter(|other| *other != k)
                .filter_map(|other| drafts.get(other))
                .filter(|other| other.channel() == Channel::Objects)
                .filter(|other| elements::fill(other.series, &it.container, &it.rises, last_slot))
                .filter(|other| !elements::pile_up(other.series, other.objects.class, last_slot))
                .map(|other| other.objects.class);
            (k, elements::bound(it.container.class, elements))
        })
        .collect();
    for (k, class) in heard {
        let Draft { axis, container, .. } = &mut drafts[k];
        container.class = class;
        // A run twice as long shows what the elements come to.
        let more = container.needs_snapshots.unwrap_or(axis.len() as u32);
        container.needs_snapshots = (class == Class::Suspect).then_some(more);
    }
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

/// A site as each channel judges it, before it is known what the others are.
struct Draft<'a> {
    axis: &'a Axis,
    series: &'a SiteSeries,
    by_births: ChosenCounter<'a>,
    by_steps: ChosenCounter<'a>,
    /// The slots in which the bytes outgrew all before by a step, and what they came to.
    rises: Vec<(usize, u64)>,
    objects: Objects,
    container: Container,
}

impl<'a> Draft<'a> {
    fn new(axis: &'a Axis, rule: &Rule, counters: &'a Counters, series: &'a SiteSeries) -> Self {
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
        Self { axis, series, by_births, by_steps, rises, objects, container }
    }

    /// The worse of the two channels speaks; where neither sees growth, the objects do, unless a
    /// container is all there is to tell.
    fn channel(&self) -> Channel {
        let (objects, container) = (self.objects.class, self.container.class);
        let worse = container < objects && container <= Class::Suspect;
        let settled = objects == Class::Stable && container != Class::Stable;
        if worse || settled { Channel::Container } else { Channel::Objects }
    }

    fn verdict(self) -> Verdict {
        let channel = self.channel();
        let Self { axis, series, by_births, by_steps, objects, container, .. } = self;
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
}
