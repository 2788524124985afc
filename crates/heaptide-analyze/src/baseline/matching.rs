//! How a baseline matches what was judged.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::accepted::{Accepted, Baseline};
use crate::finding::{Finding, Gate, JudgedSite, Ruling};
use crate::gone::Gone;
use crate::run_report::RunReport;
use crate::site::Run;

/// So many entries without a match are said one by one: of more, a reader needs the number, for
/// then the whole baseline is old.
const NAMED: usize = 5;

/// How a baseline matched the runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BaselineMatch {
    /// Entries in the baseline.
    pub entries: usize,
    /// Entries whose site occurs in some run.
    pub matched: usize,
    /// Sites that were known by their function, because others call it now. They are among the matched.
    pub moved: Vec<String>,
    /// Entries whose site does not occur.
    pub unmatched: Vec<String>,
    /// Entries whose site still grows, no worse than accepted.
    pub unchanged: Vec<String>,
    /// Entries whose site occurs and does not grow any more.
    pub fixed: Vec<String>,
    /// Sites that grow more than was accepted.
    pub worse: Vec<String>,
    /// Sites that grow and were not accepted.
    pub new: Vec<String>,
}

impl BaselineMatch {
    /// Which entries match nothing, the first few by name.
    pub(crate) fn warnings(&self, baseline: &Baseline) -> Vec<String> {
        if self.matched == 0 {
            return Vec::new();
        }
        let say = |id: &String| {
            let path = baseline.accepted.get(id).map_or("", |accepted| accepted.path.as_str());
            format!("the baseline entry {id} for `{path}` matches no site: update the baseline")
        };
        let mut warnings: Vec<String> = self.unmatched.iter().take(NAMED).map(say).collect();
        if let Some(more) = self.unmatched.len().checked_sub(NAMED).filter(|more| *more > 0) {
            warnings.push(format!("baseline entries that match no site besides these: {more}"));
        }
        warnings
    }

    /// A baseline none of whose sites exist is of another program.
    pub fn error(&self) -> Option<String> {
        let foreign = self.entries > 0 && self.matched == 0;
        foreign.then(|| {
            let entries = self.entries;
            format!("none of the {entries} baseline entries matches a site: is it of this program?")
        })
    }
}

/// A baseline and what was judged: which entry each site that grows is held against.
///
/// A site is known by its identity. Its callers are part of that, and a function that they were moved
/// into makes it another. So where no site of a function is there any more that was accepted, the entries
/// stand for what grows in it under the same tag: of several the one that grew most alike, each once. Where
/// some are there, what is new in the function has another caller, and nobody accepted it.
#[derive(Debug)]
pub(crate) struct Matching<'a> {
    baseline: &'a Baseline,
    /// Sites that occur, and are in the baseline.
    known: BTreeSet<&'a str>,
    /// Entries by the sites that were known by their function only.
    moved: BTreeMap<String, &'a str>,
}

impl<'a> Matching<'a> {
    pub(crate) fn new(baseline: &'a Baseline, reports: &[RunReport], runs: &[Run<'a>]) -> Self {
        let there: BTreeSet<&str> =
            runs.iter().flat_map(|run| run.sites).map(|site| site.subject.id.as_str()).collect();
        let (known, gone): (Vec<_>, Vec<_>) =
            baseline.accepted.iter().partition(|(key, _)| there.contains(key.as_str()));
        let known_functions: BTreeSet<_> = known.iter().map(|(_, it)| it.function()).collect();
        let is_gone = |(_, it): &(_, &Accepted)| !known_functions.contains(&it.function());
        let gone = gone.into_iter().filter(is_gone);
        let mut gone = Gone::new(gone.map(|(key, it)| (it.function(), (key.as_str(), it))));
        let known: BTreeSet<&str> = known.into_iter().map(|(key, _)| key.as_str()).collect();
        let mut moved = BTreeMap::new();
        for run in reports {
            let pace = run.pace();
            for JudgedSite { subject, verdict, .. } in growing(run) {
                let id = subject.id.as_str();
                if known.contains(id) || moved.contains_key(id) {
                    continue;
                }
                let function = (subject.path.as_str(), subject.tag.as_deref());
                let differs = |(_, it): &(_, &Accepted)| it.differs_from(&verdict.rate, &pace);
                if let Some((key, _)) = gone.take(&function, differs) {
                    moved.insert(id.to_owned(), key);
                }
            }
        }
        Self { baseline, known, moved }
    }

    /// What the baseline makes of a finding that was ruled on so, at this pace of work. Accepted growth
    /// passes; growth that passes already is none of its business.
    pub(crate) fn amended(
        &self,
        finding: &Finding,
        ruling: &Ruling,
        pace: &BTreeMap<String, f64>,
    ) -> Option<Ruling> {
        let Ruling { gate: gate @ (Gate::Fail | Gate::Undecided), .. } = *ruling else {
            return None;
        };
        let sites = || finding.sites.iter().map(|site| self.held_against(site, pace));
        let worse = sites().find_map(|site| match site {
            AgainstBaseline::Worse(because) => Some(because),
            AgainstBaseline::New | AgainstBaseline::Accepted => None,
        });
        let is_new = sites().any(|site| matches!(site, AgainstBaseline::New));
        Some(match worse {
            Some(because) => Ruling { gate, because },
            None if is_new => Ruling { gate, because: "not in the baseline".into() },
            None => Ruling { gate: Gate::Pass, because: "accepted in the baseline".into() },
        })
    }

    /// Counts what matched.
    pub(crate) fn counted(&self, reports: &[RunReport]) -> BaselineMatch {
        let Self { baseline, known, moved } = self;
        let mut matched = BaselineMatch {
            entries: baseline.accepted.len(),
            matched: known.len() + moved.len(),
            moved: moved.keys().cloned().collect(),
            ..BaselineMatch::default()
        };
        let mut still_growing = BTreeSet::new();
        for run in reports {
            let pace = run.pace();
            for site in growing(run) {
                still_growing.insert(site.subject.id.as_str());
                let ids = match self.held_against(site, &pace) {
                    AgainstBaseline::New => &mut matched.new,
                    AgainstBaseline::Worse(_) => &mut matched.worse,
                    AgainstBaseline::Accepted => &mut matched.unchanged,
                };
                ids.push(site.subject.id.clone());
            }
        }
        let fixed = known.iter().filter(|id| !still_growing.contains(**id));
        matched.fixed = fixed.map(|id| (*id).to_owned()).collect();
        let met: BTreeSet<&str> = known.iter().chain(moved.values()).copied().collect();
        let unmatched = baseline.accepted.keys().filter(|id| !met.contains(id.as_str()));
        matched.unmatched = unmatched.cloned().collect();
        for ids in [&mut matched.unchanged, &mut matched.worse, &mut matched.new] {
            ids.sort();
            ids.dedup();
        }
        matched
    }

    fn held_against(&self, site: &JudgedSite, pace: &BTreeMap<String, f64>) -> AgainstBaseline {
        let id = site.subject.id.as_str();
        let key = self.moved.get(id).copied().unwrap_or(id);
        let Some(accepted) = self.baseline.accepted.get(key) else {
            return AgainstBaseline::New;
        };
        let exceeded = accepted.exceeded_by(&site.verdict.rate, pace);
        exceeded.map_or(AgainstBaseline::Accepted, AgainstBaseline::Worse)
    }
}

/// What a baseline says of one site that grows.
enum AgainstBaseline {
    New,
    /// And why.
    Worse(String),
    Accepted,
}

fn growing(run: &RunReport) -> impl Iterator<Item = &JudgedSite> {
    run.findings.iter().flat_map(|finding| &finding.sites)
}
