//! From recordings to a report: load, sum up, name, judge.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::iter;
use std::path::PathBuf;
use std::sync::Arc;

use heaptide_format::{Site, SiteId};

use crate::axis::Axis;
use crate::baseline::Baseline;
use crate::compare::Before;
use crate::finding::Subject;
use crate::identity::{Identity, SiteKey, WorkspaceCrates};
use crate::judge::{self, Criteria, Report};
use crate::load::{self, Error, Recordings, Run, Threads};
use crate::policy::{Date, Policy};
use crate::series::SiteSeries;
use crate::symbols::{Resolve, Symbols};
use crate::timeline::Timeline;

/// What recordings are judged by.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Budgets, exceptions, and the constants of the rule.
    pub policy: Policy,
    /// Growth that was accepted before.
    pub baseline: Option<Baseline>,
    /// The build before, if only what is new or worse is asked for.
    pub before: Option<Before>,
    /// Crates that are the user's own, wherever their source lies.
    pub workspace: WorkspaceCrates,
    /// Decides which exceptions have expired.
    pub today: Date,
    /// How many threads read; the outcome does not depend on it.
    pub threads: Threads,
}

/// Loads the recordings at `paths` and judges their runs. What was wrong with the recordings comes
/// first among the report's warnings.
///
/// # Errors
/// A recording cannot be read; see [`load::load`].
pub fn judge(
    paths: &[PathBuf],
    resolver: &mut dyn Resolve,
    terms: &Terms,
) -> Result<Report, Error> {
    let Recordings { runs, warnings } = load::load(paths)?;
    let mut doubts: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    let mut read = Vec::with_capacity(runs.len());
    for run in &runs {
        let symbols = Symbols::look_up(run, resolver, &terms.workspace);
        doubts.extend(symbols.problems.iter().map(ToString::to_string));
        read.push(Read::new(run, &symbols, terms, &mut doubts)?);
    }
    let runs: Vec<judge::Run<'_>> = read.iter().map(Read::as_run).collect();
    let criteria = Criteria {
        policy: &terms.policy,
        baseline: terms.baseline.as_ref(),
        before: terms.before.as_ref(),
        today: terms.today,
    };
    let mut report = judge::judge(&runs, &criteria);
    report.warnings.splice(0..0, doubts);
    Ok(report)
}

/// A run, summed up and named.
struct Read<'a> {
    timeline: &'a Timeline,
    axis: Arc<Axis>,
    sites: Vec<judge::Site>,
}

impl<'a> Read<'a> {
    /// Reads the rows once, and once more for each lifetime that the policy gives to some sites.
    fn new(
        run: &'a Run,
        symbols: &Symbols,
        terms: &Terms,
        doubts: &mut Vec<String>,
    ) -> Result<Self, Error> {
        let names = |site: &Site| subject(site, symbols);
        let mut subjects: BTreeMap<SiteId, (SiteKey, Subject)> =
            run.sites.iter().map(|(id, site)| (*id, names(site))).collect();
        let lifetime_of = |subject: &Subject| terms.policy.lifetime_of(subject);
        let own: BTreeSet<u64> = subjects.values().filter_map(|(_, s)| lifetime_of(s)).collect();
        let general = Arc::new(Axis::new(&run.timeline, &terms.policy.settings()));
        let mut sites = BTreeMap::new();
        for lifetime_ns in iter::once(None).chain(own.into_iter().map(Some)) {
            let axis = match lifetime_ns {
                None => Arc::clone(&general),
                own => Arc::new(Axis::new(&run.timeline, &terms.policy.settings_with(own))),
            };
            let (series, warnings) = run.series(&axis, terms.threads)?;
            if lifetime_ns.is_none() {
                doubts.extend(warnings.iter().map(ToString::to_string));
            }
            for (id, series) in series {
                let unknown = || Site { id, tag: None, frames: Vec::new(), truncated: true };
                let named = subjects.remove(&id).unwrap_or_else(|| names(&unknown()));
                match lifetime_of(&named.1) == lifetime_ns {
                    true => add(&mut sites, named, &axis, series),
                    // Its turn comes with its own axis.
                    false => drop(subjects.insert(id, named)),
                }
            }
        }
        let sites = sites.into_values().collect();
        Ok(Self { timeline: &run.timeline, axis: general, sites })
    }

    fn as_run(&self) -> judge::Run<'_> {
        judge::Run { timeline: self.timeline, axis: &self.axis, sites: &self.sites }
    }
}

/// Adds a site; those of one identity are one.
fn add(
    sites: &mut BTreeMap<SiteKey, judge::Site>,
    (key, subject): (SiteKey, Subject),
    axis: &Arc<Axis>,
    series: SiteSeries,
) {
    match sites.entry(key) {
        Entry::Vacant(vacant) => {
            vacant.insert(judge::Site { subject, axis: Arc::clone(axis), series });
        }
        Entry::Occupied(mut same) => same.get_mut().series.merge(&series),
    }
}

fn subject(site: &Site, symbols: &Symbols) -> (SiteKey, Subject) {
    let stack = symbols.stack(site);
    let identity = Identity::of(&stack, site.tag.as_deref());
    let subject = Subject {
        id: identity.id.to_string(),
        path: identity.path,
        tag: site.tag.clone(),
        blamed: identity.responsible.unwrap_or_default(),
        stack: stack.frames,
    };
    (identity.id, subject)
}
