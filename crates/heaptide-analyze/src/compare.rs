//! Before and after: what one build leaks that another did not.
//!
//! Two runs never do the same work at the same pace, so growth is compared per unit of work, site
//! by site. Sites are known again by their identity; one whose callers have changed by its path, if
//! the earlier site is not there any more. Only sites that are new or worse become findings; what
//! has improved or gone is worth a line.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::finding::{Change, Gate, Ruling};
use crate::gone::Gone;
use crate::process::Process;
use crate::run_report::RunReport;
use crate::site::Run;
use crate::verdict::{Class, LEAST_WORSE_BYTES_PER_OP, Rate, Verdict, WORSE_FACTOR};

/// Growth of a function that the build before had too.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ComparedFunction {
    /// The function: [`crate::site::Subject::path`].
    pub path: String,
    /// How fast it grew, all its sites together.
    pub before: Rate,
    /// How fast it grows, in the same unit; absent if it does not.
    pub after: Option<Rate>,
    /// Whether any of its sites allocated at all.
    pub called: bool,
}

/// What has become of the growth of the build before.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Comparison {
    /// Sites that occur in both builds.
    pub common_sites: usize,
    /// Growing sites that are new.
    pub new: usize,
    /// Growing sites that are worse.
    pub worse: usize,
    /// Functions that grow as before.
    pub as_before: Vec<ComparedFunction>,
    /// Functions that grow less.
    pub improved: Vec<ComparedFunction>,
    /// Functions that do not grow any more.
    pub gone: Vec<ComparedFunction>,
}

/// What is remembered of the build before.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Before {
    sites: BTreeMap<String, Class>,
    growing: BTreeMap<String, Growing>,
    /// Parts of the process that grew, by name.
    parts: BTreeMap<&'static str, Growing>,
    too_short: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
struct Growing {
    path: String,
    rate: Rate,
    pace: BTreeMap<String, f64>,
}

impl Growing {
    /// Its rate in the unit of another run's; per hour where it did not count that work.
    fn rate_like(&self, other: &Rate) -> Rate {
        let ops_per_hour = self.pace.get(&other.work).copied().unwrap_or(other.ops_per_hour);
        self.rate.per(&other.work, ops_per_hour)
    }

    /// How unlike another run's growth it is: the logarithm of how many times more or less.
    fn differs_from(&self, rate: &Rate) -> f64 {
        (self.rate_like(rate).bytes_per_op / rate.bytes_per_op).ln().abs()
    }
}

impl Before {
    /// Remembers the sites of these runs; where several have the same site, the worst.
    pub fn of(runs: &[RunReport]) -> Self {
        let mut before = Self::default();
        for run in runs {
            before.too_short.extend(run.too_short.iter().cloned());
            for (id, class) in &run.class_of_site {
                let worst = before.sites.entry(id.clone()).or_insert(*class);
                *worst = (*worst).min(*class);
            }
            for site in run.findings.iter().flat_map(|finding| &finding.sites) {
                let (path, rate) = (site.subject.path.clone(), site.verdict.rate.clone());
                let growing = Growing { path, rate, pace: run.pace() };
                let worst = before.growing.entry(site.subject.id.clone());
                let worst = worst.or_insert_with(|| growing.clone());
                if growing.rate.bytes_per_hour() > worst.rate.bytes_per_hour() {
                    *worst = growing;
                }
            }
            for (name, rate) in run.process.growing() {
                let part = Growing { path: name.to_owned(), rate, pace: run.pace() };
                let worst = before.parts.entry(name).or_insert_with(|| part.clone());
                if part.rate.bytes_per_hour() > worst.rate.bytes_per_hour() {
                    *worst = part;
                }
            }
        }
        before
    }

    /// What of a run's growth is new or worse, by index of its site.
    pub(crate) fn changes(&self, run: &Run<'_>, verdicts: &[Verdict]) -> BTreeMap<usize, Change> {
        let growing = |index: &usize| verdicts[*index].class <= Class::Suspect;
        let there: BTreeSet<&str> = run.sites.iter().map(|site| site.subject.id.as_str()).collect();
        let gone = self.growing.iter().filter(|(id, _)| !there.contains(id.as_str()));
        let mut gone = Gone::new(gone.map(|(_, site)| (site.path.as_str(), site)));
        let mut changes = BTreeMap::new();
        for index in (0..verdicts.len()).filter(growing) {
            let (subject, rate) = (&run.sites[index].subject, &verdicts[index].rate);
            let change = match self.growing.get(&subject.id) {
                Some(before) => worse(rate, before.rate_like(rate)),
                None => {
                    gone.take(&subject.path.as_str(), |site| site.differs_from(rate)).map_or_else(
                        || Some(Change::New { was: self.sites.get(&subject.id).copied() }),
                        |was| worse(rate, was.rate_like(rate)),
                    )
                }
            };
            changes.extend(change.map(|change| (index, change)));
        }
        changes
    }

    /// What has become of all that grew.
    pub(crate) fn comparison(&self, reports: &[RunReport], runs: &[Run<'_>]) -> Comparison {
        let ids = || runs.iter().flat_map(|run| run.sites).map(|site| &site.subject.id);
        let common: BTreeSet<&String> = ids().filter(|id| self.sites.contains_key(*id)).collect();
        let mut comparison = Comparison { common_sites: common.len(), ..Comparison::default() };
        for site in reports.iter().flat_map(|run| &run.findings).flat_map(|f| &f.sites) {
            match site.change {
                Some(Change::New { .. }) => comparison.new += 1,
                Some(Change::Worse { .. }) => comparison.worse += 1,
                None => {}
            }
        }
        for known in self.known(reports, runs) {
            let list = match &known.after {
                None => &mut comparison.gone,
                Some(after) if worse(&known.before, after.clone()).is_some() => {
                    &mut comparison.improved
                }
                Some(_) => &mut comparison.as_before,
            };
            list.push(known);
        }
        comparison
    }

    /// Functions that grew, but for those that are findings again; fastest first.
    fn known(&self, reports: &[RunReport], runs: &[Run<'_>]) -> Vec<ComparedFunction> {
        let mut known: BTreeMap<&str, ComparedFunction> = BTreeMap::new();
        for before in self.growing.values() {
            let total = known.entry(&before.path).or_insert_with(|| ComparedFunction {
                path: before.path.clone(),
                before: before.rate.none(),
                after: None,
                called: false,
            });
            total.before.add(&before.rate);
        }
        for run in reports {
            for (path, rate) in totals_by_path(run) {
                if let Some(known) = known.get_mut(path) {
                    let mut total = known.before.none();
                    total.add(&rate);
                    let is_worst = |worst: &Rate| total.bytes_per_op > worst.bytes_per_op;
                    if known.after.as_ref().is_none_or(is_worst) {
                        known.after = Some(total);
                    }
                }
            }
        }
        let again = reports.iter().flat_map(|run| &run.findings).flat_map(|f| &f.sites);
        for site in again {
            known.remove(site.subject.path.as_str());
        }
        for site in runs.iter().flat_map(|run| run.sites) {
            if let Some(total) = known.get_mut(site.subject.path.as_str()) {
                total.called |= site.series.totals().counts.allocs > 0;
            }
        }
        let mut known: Vec<ComparedFunction> = known.into_values().collect();
        known.sort_by(|a, b| b.before.bytes_per_hour().total_cmp(&a.before.bytes_per_hour()));
        known
    }

    /// Why nothing can be compared: no site of the one build occurs in the other.
    pub(crate) fn error(&self, comparison: &Comparison) -> Option<String> {
        let foreign = !self.sites.is_empty() && comparison.common_sites == 0;
        foreign.then(|| {
            "no call site occurs in both recordings: they are not of the same program, or the names \
             of one are missing"
                .to_owned()
        })
    }

    /// Nothing fails for being new or worse than what was not recorded for long enough.
    pub(crate) fn amended(&self, ruling: &Ruling) -> Option<Ruling> {
        let is_open = ruling.gate == Gate::Fail && !self.too_short.is_empty();
        let because = "the build before was not recorded for long enough";
        is_open.then(|| Ruling { gate: Gate::Undecided, because: because.into() })
    }

    /// Lets parts of the process pass that grew as fast before.
    pub(crate) fn amend_parts(&self, process: &mut Process) {
        for (name, rate, ruling) in process.rulings_mut() {
            let was = self.parts.get(name).map(|part| part.rate_like(&rate));
            let is_as_before =
                was.is_some_and(|was| rate.bytes_per_op <= was.bytes_per_op * WORSE_FACTOR);
            if is_as_before && matches!(ruling.gate, Gate::Fail | Gate::Undecided) {
                let because = "it grew as fast in the build before".into();
                *ruling = Ruling { gate: Gate::Pass, because };
            } else if let Some(amended) = self.amended(ruling) {
                *ruling = amended;
            }
        }
    }

    /// Why it is too short to compare with: one sentence each.
    pub(crate) fn undecided(&self) -> impl Iterator<Item = String> {
        self.too_short.iter().map(|text| format!("the build before: {text}"))
    }
}

/// `None` if a site grows as before, or less.
fn worse(rate: &Rate, was: Rate) -> Option<Change> {
    let is_worse = rate.bytes_per_op > was.bytes_per_op * WORSE_FACTOR
        && rate.bytes_per_op > was.bytes_per_op_upper
        && rate.bytes_per_op - was.bytes_per_op > LEAST_WORSE_BYTES_PER_OP;
    is_worse.then_some(Change::Worse { was })
}

/// Growth that is no finding, functions as a whole.
fn totals_by_path(run: &RunReport) -> BTreeMap<&str, Rate> {
    let mut totals: BTreeMap<&str, Rate> = BTreeMap::new();
    for (path, rate) in &run.as_before {
        totals.entry(path).or_insert_with(|| rate.none()).add(rate);
    }
    totals
}
