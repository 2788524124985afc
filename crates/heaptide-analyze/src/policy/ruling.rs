//! What the policy makes of the findings: budgets first, then what is allowed and until when.

use std::collections::BTreeSet;

use jiff::ToSpan;
use jiff::civil::Date;
use serde::Serialize;

use super::entry::{Allow, Pattern};
use super::limit::{Growth, Limit};
use super::schema::{Dependencies, Policy};
use crate::finding::{Finding, Gate, JudgedSite, Ruling};
use crate::identity::Origin;
use crate::limits::MOST_SUGGESTIONS;
use crate::run_report::{Pace, RunReport};
use crate::site::{Run, Subject};
use crate::verdict::Class;

/// An entry is announced this long before it expires.
const NOTICE_DAYS: i32 = 14;
/// Names this much alike may be one name with a slip in it.
const LEAST_LIKENESS: f64 = 0.85;

/// How the allow-list was used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PolicyUse {
    /// Entries that allowed a finding: pattern and number of findings.
    pub used: Vec<(String, usize)>,
    /// Patterns that match no site of any run.
    pub unmatched: Vec<String>,
    /// Patterns that have expired.
    pub expired: Vec<String>,
    /// One sentence each.
    pub warnings: Vec<String>,
    /// One sentence each.
    pub errors: Vec<String>,
}

impl Policy {
    /// What it makes of a finding by itself.
    pub(crate) fn ruling(&self, finding: &Finding, pace: &Pace, today: Date) -> Ruling {
        let rule = |gate, because: String| Ruling { gate, because };
        let budget = self.budget_of(finding);
        if budget.admits(whole(finding, pace)) {
            return rule(Gate::Pass, format!("within the budget of {budget}"));
        }
        if let Some(entry) = self.allowed(finding, pace, today) {
            return rule(Gate::Pass, allowance(&self.allow[entry]));
        }
        let has_own_budget = self.crate_budget(finding).is_some();
        let is_own = matches!(finding.blamed.origin, Origin::Workspace | Origin::Unknown);
        match self.budget.dependencies {
            Dependencies::Warn if !has_own_budget && !is_own => {
                rule(Gate::Warn, "in a dependency".into())
            }
            Dependencies::Ignore if !has_own_budget && !is_own => {
                rule(Gate::Pass, "in a dependency, which the policy ignores".into())
            }
            _ if finding.class == Class::Suspect => {
                rule(Gate::Undecided, "too early to say".into())
            }
            _ => {
                let but = self.not_allowed(finding, today);
                rule(Gate::Fail, format!("over the budget of {budget}{but}"))
            }
        }
    }

    /// What it makes of a finding of a process that as a whole is over its budget; nothing of one
    /// that may be no leak.
    pub(crate) fn process_ruling(&self, finding: &Finding) -> Option<Ruling> {
        let limit = self.budget.process.as_ref().filter(|_| finding.class == Class::Leak)?;
        let because = format!("the process is over its budget of {limit}");
        Some(Ruling { gate: Gate::Fail, because })
    }

    /// Whether the leaks of a process together are over its budget, allowed or not.
    pub(crate) fn is_over_process_budget(&self, run: &RunReport) -> bool {
        self.budget.process.as_ref().is_some_and(|limit| !process_within(limit, run))
    }

    /// How the allow-list was used, and what is about nothing in these runs.
    pub(crate) fn usage(&self, reports: &[RunReport], runs: &[Run<'_>], today: Date) -> PolicyUse {
        let mut used = vec![0; self.allow.len()];
        for run in reports {
            let pace = run.pace();
            let over = run
                .findings
                .iter()
                .filter(|finding| !self.budget_of(finding).admits(whole(finding, &pace)));
            over.filter_map(|finding| self.allowed(finding, &pace, today))
                .for_each(|entry| used[entry] += 1);
        }
        let mut policy_use = PolicyUse::default();
        self.report_units(runs, &mut policy_use);
        for (entry, count) in self.allow.iter().zip(used) {
            self.report_use(entry, count, runs, today, &mut policy_use);
        }
        self.report_idle(runs, &mut policy_use);
        if let Some(limit) = &self.budget.process {
            let over = reports.iter().filter(|run| self.is_over_process_budget(run));
            let say =
                |run: &RunReport| format!("{} as a whole is over its budget of {limit}", run.exe);
            policy_use.warnings.extend(over.map(say));
        }
        policy_use
    }

    /// The budget of the crate that a finding blames, if it has one of its own.
    fn crate_budget(&self, finding: &Finding) -> Option<&Limit> {
        let budget = self.budget.crates.get(finding.blamed.package()?);
        budget.map(toml::Spanned::get_ref)
    }

    fn budget_of(&self, finding: &Finding) -> &Limit {
        self.crate_budget(finding).unwrap_or(&self.budget.finding)
    }

    /// The entry that allows a finding: it names the finding as a whole, or else each of its sites is
    /// named by an entry that still holds.
    fn allowed(&self, finding: &Finding, pace: &Pace, today: Date) -> Option<usize> {
        let allows = |entry: &Allow, growth: Growth<'_>| {
            entry.holds(today) && entry.limit.as_ref().is_none_or(|limit| limit.admits(growth))
        };
        let all = whole(finding, pace);
        let names_it = |entry: &Allow| entry.site.get_ref().names(finding) && allows(entry, all);
        let entry_for = |site: &JudgedSite| {
            let growth = Growth::of_site(&site.verdict.rate, pace, &site.verdict.evidence);
            self.allow.iter().position(|entry| {
                entry.site.get_ref().matches(&site.subject) && allows(entry, growth)
            })
        };
        self.allow.iter().position(names_it).or_else(|| {
            let entries: Option<Vec<usize>> = finding.sites.iter().map(entry_for).collect();
            entries?.first().copied()
        })
    }

    /// Why entries that name a finding or sites of it do not allow it; nothing if there are none.
    fn not_allowed(&self, finding: &Finding, today: Date) -> String {
        let sites = finding.sites.iter();
        let named = |entry: &Allow| {
            let pattern = entry.site.get_ref();
            match pattern.names(finding) {
                true => finding.sites.len(),
                false => sites.clone().filter(|site| pattern.matches(&site.subject)).count(),
            }
        };
        let entries = self.allow.iter().filter(|entry| entry.holds(today));
        let Some((entry, named)) =
            entries.map(|entry| (entry, named(entry))).max_by_key(|(_, named)| *named)
        else {
            return String::new();
        };
        let (pattern, all) = (entry.site.get_ref(), finding.sites.len());
        match &entry.limit {
            _ if named == 0 => String::new(),
            Some(limit) if named == all => format!("; `{pattern}` allows {limit} only"),
            _ => format!("; `{pattern}` allows {named} of its {all} call sites only"),
        }
    }

    fn report_use(
        &self,
        entry: &Allow,
        count: usize,
        runs: &[Run<'_>],
        today: Date,
        policy_use: &mut PolicyUse,
    ) {
        let pattern = entry.site.get_ref().to_string();
        if let Some(expires) = &entry.expires {
            let (day, place) = (expires.get_ref().0, self.source.place(expires));
            if !entry.holds(today) {
                let owner =
                    entry.owner.as_deref().map_or(String::new(), |o| format!(" (owner: {o})"));
                policy_use.errors.push(format!(
                    "{place}: the allow entry for `{pattern}` expired on {day}{owner}: \
                     fix what grows, or give the entry a later date"
                ));
                policy_use.expired.push(pattern);
                return;
            }
            if today.saturating_add(NOTICE_DAYS.days()) >= day {
                let text = format!("{place}: the allow entry for `{pattern}` expires on {day}");
                policy_use.warnings.push(text);
            }
        }
        if count > 0 {
            policy_use.used.push((pattern, count));
        } else if !occurs(entry.site.get_ref(), runs) {
            let looks_for_it = policy_use.unmatched.len() < MOST_SUGGESTIONS;
            let close = if looks_for_it { closest(&pattern, runs) } else { String::new() };
            let place = self.source.place(&entry.site);
            policy_use
                .warnings
                .push(format!("{place}: the allow entry for `{pattern}` matches no site{close}"));
            policy_use.unmatched.push(pattern);
        }
    }

    /// Says which limits are per a unit of work that none of these runs counts.
    fn report_units(&self, runs: &[Run<'_>], policy_use: &mut PolicyUse) {
        let file = &self.source.file;
        let of_all = [Some(&self.budget.finding), self.budget.process.as_ref()];
        let of_all = of_all.into_iter().flatten().map(|limit| (file.clone(), limit));
        let of_crates = self.budget.crates.values().chain(self.budget.parts.values());
        let of_crates = of_crates.map(|limit| (self.source.place(limit), limit.get_ref()));
        // An entry that is about nothing in these runs may be about another program.
        let entries = self.allow.iter().filter(|entry| occurs(entry.site.get_ref(), runs));
        let of_entries = entries
            .filter_map(|entry| Some((self.source.place(&entry.site), entry.limit.as_ref()?)));
        let counters: BTreeSet<&str> =
            runs.iter().flat_map(|run| run.timeline.counters()).collect();
        // No work was done, or none is counted: that is a matter of the run.
        if counters.is_empty() {
            return;
        }
        let counted = Vec::from_iter(counters.iter().copied()).join(", ");
        for (place, limit) in of_all.chain(of_crates).chain(of_entries) {
            let Some(unit) = limit.unknown_unit(counters.iter().copied()) else { continue };
            policy_use.errors.push(format!(
                "{place}: `{limit}` is per `{unit}`, which is none of what is counted ({counted}); \
                 `op` is any work, and time is `s`, `min`, `h` or `d`"
            ));
        }
    }

    /// Says which lifetimes and crate budgets are about nothing in these runs.
    fn report_idle(&self, runs: &[Run<'_>], policy_use: &mut PolicyUse) {
        for entry in self.lifetime.iter().filter(|entry| !occurs(entry.site.get_ref(), runs)) {
            let (place, pattern) = (self.source.place(&entry.site), entry.site.get_ref());
            let looks_for_it = policy_use.unmatched.len() < MOST_SUGGESTIONS;
            let close =
                if looks_for_it { closest(&pattern.to_string(), runs) } else { String::new() };
            policy_use
                .warnings
                .push(format!("{place}: the lifetime for `{pattern}` matches no site{close}"));
            policy_use.unmatched.push(pattern.to_string());
        }
        let known: BTreeSet<&str> = subjects(runs)
            .flat_map(|subject| &subject.stack)
            .filter_map(|frame| frame.package())
            .collect();
        for (name, budget) in
            self.budget.crates.iter().filter(|(name, _)| !known.contains(name.as_str()))
        {
            let place = self.source.place(budget);
            let text = format!("{place}: no call site goes through the crate `{name}`");
            policy_use.warnings.push(text);
            policy_use.unmatched.push(name.clone());
        }
        let is_known = |name: &String| known.contains(&*name.replace('-', "_"));
        if !self.workspace.is_empty() && !self.workspace.iter().any(is_known) {
            let (file, names) = (&self.source.file, self.workspace.join(", "));
            let text =
                format!("{file}: no call site goes through a crate of `workspace` ({names})");
            policy_use.warnings.push(text);
        }
    }
}

fn process_within(limit: &Limit, run: &RunReport) -> bool {
    let Some(rate) = &run.leaking else { return true };
    let (live_objects, live_bytes) = (run.heap.live_objects, run.heap.live_bytes);
    limit.admits(Growth { rate, pace: &run.pace(), live_objects, live_bytes })
}

fn subjects<'a>(runs: &[Run<'a>]) -> impl Iterator<Item = &'a Subject> {
    runs.iter().flat_map(|run| run.sites).map(|site| &site.subject)
}

fn occurs(pattern: &Pattern, runs: &[Run<'_>]) -> bool {
    subjects(runs).any(|subject| pattern.matches(subject))
}

/// The path that a pattern without a match was probably meant for, as a question.
fn closest(pattern: &str, runs: &[Run<'_>]) -> String {
    let likeness = |path: &str| strsim::jaro_winkler(pattern, path);
    let ranked = subjects(runs).map(|subject| (likeness(&subject.path), subject.path.as_str()));
    let best = ranked.max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)));
    let near = best.filter(|(likeness, _)| *likeness > LEAST_LIKENESS);
    near.map_or(String::new(), |(_, path)| format!("; did you mean `{path}`?"))
}

fn allowance(entry: &Allow) -> String {
    let mut because = match &entry.limit {
        Some(limit) => format!("allowed up to {limit}"),
        None => "allowed".to_owned(),
    };
    for detail in [&entry.reason, &entry.issue].into_iter().flatten() {
        because.push_str(": ");
        because.push_str(detail);
    }
    if let Some(expires) = entry.expires.as_ref().map(|day| day.get_ref().0) {
        because.push_str(&format!(" (until {expires})"));
    }
    because
}

fn whole<'a>(finding: &'a Finding, pace: &'a Pace) -> Growth<'a> {
    let sites = || finding.sites.iter().map(|site| &site.verdict.evidence);
    Growth {
        rate: &finding.rate,
        pace,
        live_objects: sites().fold(0, |sum, e| e.live_objects.saturating_add(sum)),
        live_bytes: sites().fold(0, |sum, e| e.live_bytes.saturating_add(sum)),
    }
}
