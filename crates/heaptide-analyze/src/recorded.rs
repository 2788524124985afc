//! From recordings to a report: load, sum up, name, judge.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::PathBuf;

use heaptide_format::{Site, SiteId};

use crate::axis::Axis;
use crate::baseline::Baseline;
use crate::finding::Subject;
use crate::identity::{Identity, SiteKey, WorkspaceCrates};
use crate::judge::{self, Report};
use crate::load::{self, Error, Recordings, Run};
use crate::policy::{Date, Policy};
use crate::series::SiteSeries;
use crate::symbols::{Resolve, Symbols};

/// What recordings are judged by.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Budgets, exceptions, and the constants of the rule.
    pub policy: Policy,
    /// Growth that was accepted before.
    pub baseline: Option<Baseline>,
    /// Crates that are the user's own, wherever their source lies.
    pub workspace: WorkspaceCrates,
    /// Decides which exceptions have expired.
    pub today: Date,
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
        let axis = Axis::new(&run.timeline, &terms.policy.settings());
        let (series, warnings) = run.series(&axis)?;
        let symbols = Symbols::look_up(run, resolver);
        doubts.extend(warnings.iter().map(ToString::to_string));
        doubts.extend(symbols.problems.iter().map(ToString::to_string));
        read.push((&run.timeline, axis, named(run, series, &symbols, &terms.workspace)));
    }
    let runs: Vec<judge::Run<'_>> =
        read.iter().map(|(timeline, axis, sites)| judge::Run { timeline, axis, sites }).collect();
    let mut report = judge::judge(&runs, &terms.policy, terms.baseline.as_ref(), terms.today);
    report.warnings.splice(0..0, doubts);
    Ok(report)
}

/// Sites by name; those of one identity are one.
fn named(
    run: &Run,
    series: BTreeMap<SiteId, SiteSeries>,
    symbols: &Symbols,
    workspace: &WorkspaceCrates,
) -> Vec<(Subject, SiteSeries)> {
    let mut named: BTreeMap<SiteKey, (Subject, SiteSeries)> = BTreeMap::new();
    for (id, series) in series {
        let unknown = || Site { id, tag: None, frames: Vec::new(), truncated: true };
        let site = run.sites.get(&id).cloned().unwrap_or_else(unknown);
        let (key, subject) = subject(&site, symbols, workspace);
        match named.entry(key) {
            Entry::Vacant(vacant) => {
                vacant.insert((subject, series));
            }
            Entry::Occupied(mut same) => same.get_mut().1.merge(&series),
        }
    }
    named.into_values().collect()
}

fn subject(site: &Site, symbols: &Symbols, workspace: &WorkspaceCrates) -> (SiteKey, Subject) {
    let mut stack = symbols.stack(site);
    stack.claim(workspace);
    let identity = Identity::of(&stack, site.tag.as_deref(), workspace);
    let subject = Subject {
        id: identity.id.to_string(),
        path: identity.path,
        tag: site.tag.clone(),
        blamed: identity.responsible.unwrap_or_default(),
        stack: stack.frames,
    };
    (identity.id, subject)
}
