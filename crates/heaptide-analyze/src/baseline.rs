//! Growth that was accepted once: only new or worse growth fails from then on.
//!
//! A JSON file, one entry per site, sorted, one entry to a few lines: two branches that accept
//! different sites merge without a conflict of meaning. The same type, made from an earlier
//! report in memory, compares two builds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::finding::{Finding, Gate, Ruling};
use crate::judge::{Report, Run, RunReport};
use crate::verdict::Class;

/// The version this crate writes.
pub const BASELINE_VERSION: u32 = 1;

/// Growth is worse from this factor on,
const WORSE: f64 = 1.25;
/// if it is also worse by this many bytes per unit of work.
const FLOOR_BYTES_PER_OP: f64 = 1.0;

/// One accepted site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// The function that allocates, for readers.
    pub path: String,
    /// What it was judged to be.
    pub class: Class,
    /// The unit of work.
    pub work: String,
    /// Growth in blocks per unit of work.
    pub objects_per_op: f64,
    /// Upper bound of the growth in bytes per unit of work.
    pub bytes_per_op: f64,
}

/// All accepted sites, by identity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// [`BASELINE_VERSION`] of the writer.
    pub version: u32,
    /// Accepted sites by identity: [`crate::finding::Subject::id`].
    pub accepted: BTreeMap<String, Accepted>,
}

/// Why a baseline could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaselineError(String);

impl fmt::Display for BaselineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BaselineError {}

/// How a baseline matched the runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BaselineMatch {
    /// Entries in the baseline.
    pub entries: usize,
    /// Entries whose site occurs in some run.
    pub matched: usize,
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
    /// A baseline none of whose sites exist is of another program.
    pub fn error(&self) -> Option<String> {
        let foreign = self.entries > 0 && self.matched == 0;
        foreign.then(|| {
            let entries = self.entries;
            format!("none of the {entries} baseline entries matches a site: is it of this program?")
        })
    }
}

impl Default for Baseline {
    fn default() -> Self {
        Self { version: BASELINE_VERSION, accepted: BTreeMap::new() }
    }
}

impl Baseline {
    /// Accepts everything that grows in a report.
    pub fn of(report: &Report) -> Self {
        let mut baseline = Self::default();
        for site in report.findings().flat_map(|finding| &finding.sites) {
            let rate = &site.verdict.rate;
            let accepted = Accepted {
                path: site.subject.path.clone(),
                class: site.verdict.class,
                work: rate.work.clone(),
                objects_per_op: rounded(rate.objects_per_op),
                bytes_per_op: rounded(rate.bytes_per_op_upper),
            };
            let worst = baseline.accepted.entry(site.subject.id.clone());
            let worst = worst.or_insert_with(|| accepted.clone());
            if accepted.bytes_per_op > worst.bytes_per_op {
                *worst = accepted;
            }
        }
        baseline
    }

    /// Reads the file.
    ///
    /// # Errors
    /// What is wrong and where, or that a newer version wrote it.
    pub fn parse(text: &str) -> Result<Self, BaselineError> {
        let baseline: Self =
            serde_json::from_str(text).map_err(|error| BaselineError(error.to_string()))?;
        if baseline.version > BASELINE_VERSION {
            let version = baseline.version;
            return Err(BaselineError(format!(
                "version {version} is newer than this program knows ({BASELINE_VERSION}): update heaptide"
            )));
        }
        Ok(baseline)
    }

    /// The file: sorted, indented, with a final line feed.
    pub fn to_json(&self) -> String {
        // Strings, numbers and maps with string keys always have a JSON form.
        serde_json::to_string_pretty(self).map(|text| text + "\n").unwrap_or_default()
    }

    /// Lets accepted growth pass and counts what matched. Only findings that would have failed or
    /// stayed undecided are touched.
    pub(crate) fn rule_on(&self, reports: &mut [RunReport], runs: &[Run<'_>]) -> BaselineMatch {
        let mut matched =
            BaselineMatch { entries: self.accepted.len(), ..BaselineMatch::default() };
        let known: BTreeSet<&str> = runs
            .iter()
            .flat_map(|run| run.sites)
            .map(|site| site.subject.id.as_str())
            .filter(|id| self.accepted.contains_key(*id))
            .collect();
        matched.matched = known.len();
        let mut growing = BTreeSet::new();
        for finding in reports.iter_mut().flat_map(|run| &mut run.findings) {
            growing.extend(finding.sites.iter().map(|site| site.subject.id.clone()));
            self.rule_on_finding(finding, &mut matched);
        }
        let fixed = known.iter().filter(|id| !growing.contains(**id));
        matched.fixed = fixed.map(|id| (*id).to_owned()).collect();
        for ids in [&mut matched.unchanged, &mut matched.worse, &mut matched.new] {
            ids.sort();
            ids.dedup();
        }
        matched
    }

    fn rule_on_finding(&self, finding: &mut Finding, matched: &mut BaselineMatch) {
        let (mut worse, mut new) = (None, false);
        for site in &finding.sites {
            let id = site.subject.id.clone();
            let rate = &site.verdict.rate;
            match self.accepted.get(&id) {
                None => {
                    new = true;
                    matched.new.push(id);
                }
                Some(accepted) if accepted.is_exceeded_by(rate.bytes_per_op) => {
                    worse = Some((accepted.bytes_per_op, rate.bytes_per_op));
                    matched.worse.push(id);
                }
                Some(_) => matched.unchanged.push(id),
            }
        }
        if !matches!(finding.ruling.gate, Gate::Fail | Gate::Undecided) {
            return;
        }
        match worse {
            Some((was, now)) => {
                finding.ruling.because =
                    format!("worse than accepted: {now:.1} B/op, accepted up to {was:.1} B/op");
            }
            None if new => finding.ruling.because = "not in the baseline".into(),
            None => {
                let because = "accepted in the baseline".into();
                finding.ruling = Ruling { gate: Gate::Pass, because };
            }
        }
    }
}

impl Accepted {
    fn is_exceeded_by(&self, bytes_per_op: f64) -> bool {
        bytes_per_op > self.bytes_per_op * WORSE
            && bytes_per_op - self.bytes_per_op > FLOOR_BYTES_PER_OP
    }
}

/// Three digits after the point are enough, and keep the file's diffs quiet.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
