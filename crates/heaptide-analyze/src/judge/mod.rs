//! Runs in, one report out: what leaks, what the policy says, and how the command should exit.

mod adequacy;
mod memory;
mod run;

use serde::Serialize;

use crate::baseline::{Baseline, BaselineMatch, Matching};
use crate::compare::{Before, Comparison};
use crate::finding::{Finding, Gate, Ruling};
use crate::policy::{Date, Inconclusive, Policy, PolicyUse};
use crate::run_report::RunReport;
use crate::site::Run;
use crate::verdict::Verdict;
use adequacy::WrongWork;
use run::report_run;

/// How the command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Nothing grows.
    Clean,
    /// What grows, or may grow, is within what the policy accepts.
    Passes,
    /// Growth over budget.
    Growth,
    /// The policy or the baseline does not hold.
    Error,
    /// Too early to say.
    Inconclusive,
}

impl Outcome {
    /// The exit code of every command.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Clean | Self::Passes => 0,
            Self::Growth => 1,
            Self::Error => 2,
            Self::Inconclusive => 3,
        }
    }
}

/// Everything there is to say.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The runs, in the order given.
    pub runs: Vec<RunReport>,
    /// How the allow-list was used.
    pub policy: PolicyUse,
    /// How the baseline matched, if there was one.
    pub baseline: Option<BaselineMatch>,
    /// How the runs compare with the build before, if there is one.
    pub comparison: Option<Comparison>,
    /// What a reader must know to trust the rest: one sentence each.
    pub warnings: Vec<String>,
    /// Why the outcome is an error: one sentence each.
    pub errors: Vec<String>,
    /// What could not be concluded: one sentence each.
    pub undecided: Vec<String>,
    /// How the command ends.
    pub outcome: Outcome,
}

impl Report {
    /// All findings of all runs: run by run, worst first.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.runs.iter().flat_map(|run| &run.findings)
    }
}

/// What runs are judged by.
#[derive(Clone, Copy, Debug)]
pub struct Criteria<'a> {
    /// Budgets, exceptions, and the constants of the rule.
    pub policy: &'a Policy,
    /// Growth that was accepted before.
    pub baseline: Option<&'a Baseline>,
    /// The build before: only what is new or worse is found.
    pub before: Option<&'a Before>,
    /// Decides which exceptions have expired.
    pub today: Date,
}

/// Decides what each site of a run does, in the order of its sites.
pub type Classify<'a> = &'a dyn Fn(&Run<'_>) -> Vec<Verdict>;

/// Judges runs.
pub fn judge_runs(runs: &[Run<'_>], criteria: &Criteria<'_>) -> Report {
    judge_runs_by(runs, criteria, &|run| run::classify(run, criteria.policy))
}

/// Judges runs by verdicts that are reached in another way than [`crate::verdict`] does, where more is
/// known of a run than that its sites allocate: a test, say, knows when nothing need be alive.
pub fn judge_runs_by(runs: &[Run<'_>], criteria: &Criteria<'_>, classify: Classify<'_>) -> Report {
    let Criteria { policy, baseline, before, today } = *criteria;
    let mut warnings: Vec<String> =
        runs.iter().flat_map(|run| adequacy::of_recording(run, policy)).collect();
    let mut judged: Vec<RunReport> =
        runs.iter().map(|run| report_run(run, &classify(run), policy, before)).collect();
    let mut undecided: Vec<String> =
        judged.iter().flat_map(|run| &run.too_short).cloned().collect();
    undecided.extend(runs.iter().filter_map(adequacy::of_children));
    undecided.extend(runs.iter().filter_map(adequacy::of_uncounted));
    let matching = baseline.map(|baseline| Matching::new(baseline, &judged, runs));
    judged.iter_mut().for_each(|run| rule_on(run, criteria, matching.as_ref()));
    let policy_use = policy.usage(&judged, runs, today);
    let baseline = baseline.zip(matching).map(|(baseline, matching)| {
        let matched = matching.counted(&judged);
        warnings.extend(matched.warnings(baseline));
        matched
    });
    let comparison = before.map(|before| before.comparison(&judged, runs));
    undecided.extend(before.iter().flat_map(|before| before.undecided()));
    undecided.extend(undecided_findings(&judged));
    let mut errors = policy_use.errors.clone();
    warnings.extend(policy_use.warnings.iter().cloned());
    errors.extend(baseline.iter().filter_map(BaselineMatch::error));
    match adequacy::of_work(runs, policy) {
        Some(WrongWork::Nothing(why)) => undecided.push(why),
        Some(WrongWork::Misspelt(why)) => errors.push(why),
        None => {}
    }
    errors.extend(before.zip(comparison.as_ref()).and_then(|(before, c)| before.error(c)));
    if runs.is_empty() {
        undecided.push("there is no run to judge".into());
    }
    let outcome = outcome(&judged, &errors, &undecided, policy);
    Report {
        runs: judged,
        policy: policy_use,
        baseline,
        comparison,
        warnings,
        errors,
        undecided,
        outcome,
    }
}

/// What somebody makes of a ruling that stands; `None` leaves it.
type Amendment<'a> = &'a dyn Fn(&Ruling) -> Option<Ruling>;

/// Rules on each finding of a run, and on each part of its process. The policy speaks first; whoever speaks later sees how it was
/// ruled, and may overrule it: the budget of the whole process, then growth that was accepted, then
/// doubt about the build before.
fn rule_on(run: &mut RunReport, criteria: &Criteria<'_>, matching: Option<&Matching<'_>>) {
    let Criteria { policy, baseline, before, today } = *criteria;
    let (pace, is_over) = (run.pace(), policy.is_over_process_budget(run));
    for finding in &mut run.findings {
        let amendments: [Amendment<'_>; 3] = [
            &|_| is_over.then(|| policy.process_ruling(finding)).flatten(),
            &|ruling| matching?.amended(finding, ruling, &pace),
            &|ruling| before?.amended(ruling),
        ];
        let by_policy = policy.ruling(finding, &pace, today);
        let ruled =
            amendments.iter().fold(by_policy, |ruling, amend| amend(&ruling).unwrap_or(ruling));
        finding.ruling = ruled;
    }
    policy.rule_on_parts(&mut run.process, &pace);
    if let Some(baseline) = baseline {
        baseline.amend_parts(&mut run.process, &pace);
    }
    if let Some(before) = before {
        before.amend_parts(&mut run.process);
    }
}

fn outcome(
    runs: &[RunReport],
    errors: &[String],
    undecided: &[String],
    policy: &Policy,
) -> Outcome {
    if !errors.is_empty() {
        Outcome::Error
    } else if runs.iter().any(RunReport::fails) {
        Outcome::Growth
    } else if !undecided.is_empty() && policy.inconclusive == Inconclusive::Fail {
        Outcome::Inconclusive
    } else if undecided.is_empty() && runs.iter().all(RunReport::is_clean) {
        Outcome::Clean
    } else {
        Outcome::Passes
    }
}

fn undecided_findings(runs: &[RunReport]) -> Vec<String> {
    let open = |finding: &&Finding| finding.ruling.gate == Gate::Undecided;
    let say = |finding: &Finding| {
        let name = &finding.blamed.function;
        match finding.lead().verdict.needs_snapshots {
            Some(more) => format!("{name} may leak: about {more} more snapshots decide"),
            None => format!("{name} may leak"),
        }
    };
    let of_sites = runs.iter().flat_map(|run| &run.findings).filter(open).map(say);
    of_sites.chain(runs.iter().flat_map(undecided_parts)).collect()
}

fn undecided_parts(run: &RunReport) -> impl Iterator<Item = String> {
    let open = run.process.rulings().filter(|(.., ruling)| ruling.gate == Gate::Undecided);
    open.map(|(name, ..)| format!("`{name}` may grow without end, outside the recorded heap"))
}
