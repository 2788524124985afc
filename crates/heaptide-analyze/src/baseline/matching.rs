//! How a baseline matches what was judged.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{AgainstBaseline, Baseline};
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

impl Baseline {
    /// Counts what matched.
    pub(crate) fn matching(&self, reports: &[RunReport], runs: &[Run<'_>]) -> BaselineMatch {
        let sites = runs.iter().flat_map(|run| run.sites).map(|site| site.subject.id.as_str());
        let known: BTreeSet<&str> = sites.filter(|id| self.accepted.contains_key(*id)).collect();
        let mut matched = BaselineMatch {
            entries: self.accepted.len(),
            matched: known.len(),
            ..BaselineMatch::default()
        };
        let mut growing = BTreeSet::new();
        for run in reports {
            let pace = run.pace();
            for site in run.findings.iter().flat_map(|finding| &finding.sites) {
                growing.insert(site.subject.id.as_str());
                let ids = match self.held_against(site, &pace) {
                    AgainstBaseline::New => &mut matched.new,
                    AgainstBaseline::Worse(_) => &mut matched.worse,
                    AgainstBaseline::Accepted => &mut matched.unchanged,
                };
                ids.push(site.subject.id.clone());
            }
        }
        let fixed = known.iter().filter(|id| !growing.contains(**id));
        matched.fixed = fixed.map(|id| (*id).to_owned()).collect();
        let unmatched = self.accepted.keys().filter(|id| !known.contains(id.as_str()));
        matched.unmatched = unmatched.cloned().collect();
        for ids in [&mut matched.unchanged, &mut matched.worse, &mut matched.new] {
            ids.sort();
            ids.dedup();
        }
        matched
    }
}
