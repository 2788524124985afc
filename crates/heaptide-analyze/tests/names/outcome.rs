//! What the analyzer makes of a build, held against what is expected of it.

use std::fmt;

use heaptide_analyze::finding::{Finding, Gate};
use heaptide_analyze::identity::{Origin, plain};
use heaptide_analyze::policy::Policy;
use heaptide_analyze::symbols::ElfResolver;
use heaptide_analyze::verdict::Channel;
use heaptide_analyze::{Report, Terms, judge};

use super::build::{Build, Code, Debug, Family, Recorded};
use super::expected::{OBJECTS, PLACES, Place};

/// A line of the table.
pub(crate) struct Outcome {
    build: Build,
    /// How many places are right in each respect.
    right: [usize; N_RESPECTS],
    /// What is not.
    pub(crate) wrong: Vec<String>,
}

const N_RESPECTS: usize = 6;

impl Outcome {
    pub(crate) const HEAD: &str = "debug code    lto split    names  shim   name line rate via  \
                                   id   allow  container, sites";

    pub(crate) fn of(family: &Family, build: &Build) -> Self {
        let judged = |recorded: &Recorded, policy| judged(recorded, policy, build);
        let first = judged(&family.record(build, false), Policy::default());
        let recorded = family.record(build, true);
        let second = judged(&recorded, Policy::default());
        let allowed = judged(&recorded, allowing(&second));
        let mut outcome = Self { build: *build, right: [0; N_RESPECTS], wrong: Vec::new() };
        for place in PLACES {
            outcome.place(place, &first, &second, &allowed);
        }
        outcome.whole(&second);
        outcome
    }

    fn place(&mut self, place: &Place, first: &Report, second: &Report, allowed: &Report) {
        let (build, label) = (self.build, place.label);
        let names = place.names(&build);
        let Some(found) = find(place, &build, second) else {
            let blamed: Vec<_> = second.findings().map(shown).collect();
            self.wrong.push(format!("{label}: none of {names:?} among {blamed:#?}"));
            return;
        };
        let before = find(place, &build, first).map(|finding| finding.id.as_str());
        let after = allowed.findings().find(|finding| finding.id == found.id);
        let objects = found.rate.objects_per_op;
        let via = called(found).unwrap_or_default();
        let is_whole = build.debug >= Debug::Limited || build.code != Code::Inlined;
        let line = found.blamed.line;
        let lines: Vec<_> = place.lines().into_iter().map(Family::shifted).collect();
        let respects: [(&str, bool, String); N_RESPECTS] = [
            ("name", true, String::new()),
            (
                "line",
                match line {
                    Some(line) => lines.contains(&line),
                    None => build.debug == Debug::None,
                },
                format!("{line:?}, not {lines:?}"),
            ),
            (
                "rate",
                !is_whole || (objects - place.objects).abs() < 0.02,
                format!("{objects} per request"),
            ),
            ("via", via.starts_with(place.via) || !is_whole && build.debug == Debug::None, via),
            ("id", before == Some(&found.id), format!("{before:?}, then {}", found.id)),
            (
                "allow",
                after.is_some_and(|finding| finding.ruling.gate == Gate::Pass),
                format!("`{}` does not match itself", plain(&found.blamed.function)),
            ),
        ];
        for (at, (what, is_right, seen)) in respects.into_iter().enumerate() {
            match is_right {
                true => self.right[at] += 1,
                false => self.wrong.push(format!("{label}: {what}: {seen}")),
            }
        }
    }

    /// The container is seen, all objects are counted, and no two places are one site.
    fn whole(&mut self, report: &Report) {
        let is_plumbing = |finding: &&Finding| finding.blamed.origin == Origin::Std;
        for finding in report.findings().filter(is_plumbing) {
            self.wrong.push(format!("blames plumbing: {}", shown(finding)));
        }
        if !report.findings().any(|finding| finding.container.is_some()) {
            self.wrong.push("no container".to_owned());
        }
        let objects: f64 = report.findings().map(|finding| finding.rate.objects_per_op).sum();
        if (objects - OBJECTS).abs() > 0.1 {
            self.wrong.push(format!("{objects} objects per request in all"));
        }
        let sites = report.findings().flat_map(|finding| &finding.sites);
        let n = sites.filter(|site| site.verdict.channel == Channel::Objects).count();
        if n < OBJECTS as usize {
            self.wrong.push(format!("{n} sites only: some were merged"));
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  ", self.build)?;
        for right in self.right {
            write!(f, " {right:>2}/{}", PLACES.len() % 100)?;
        }
        let others =
            self.wrong.iter().filter(|text| !PLACES.iter().any(|p| text.starts_with(p.label)));
        let others: Vec<_> = others.map(String::as_str).collect();
        write!(f, "  {}", if others.is_empty() { "ok".to_owned() } else { others.join("; ") })
    }
}

/// Where no file says so, Cargo must say which crates are the user's.
fn judged(recorded: &Recorded, policy: Policy, build: &Build) -> Report {
    let own: &[&str] = if build.debug == Debug::None { &["shop", "shop_ledger"] } else { &[] };
    let workspace = own.iter().map(|name| (*name).to_owned()).collect();
    let mut resolver = ElfResolver::new(recorded.symbol_paths.clone());
    let terms = Terms { policy, workspace, ..Terms::default() };
    let paths = [recorded.recording.clone()];
    judge(&paths, &mut resolver, &terms).expect("a recording")
}

/// Allows every finding, in the words of the report.
fn allowing(report: &Report) -> Policy {
    let entry = |finding: &Finding| {
        let site = plain(&finding.blamed.function);
        format!("[[allow]]\nsite = '{site}'\n")
    };
    let text: String = report.findings().map(entry).collect();
    Policy::parse(&text).expect("a policy")
}

/// The finding at a place: by its line where there is one, for names may be the same.
fn find<'a>(place: &Place, build: &Build, report: &'a Report) -> Option<&'a Finding> {
    let names = place.names(build);
    let is_named = |finding: &&Finding| names.contains(&plain(&finding.blamed.function).as_str());
    let first = report.findings().find(is_named)?;
    let lines = place.lines();
    let is_there = |finding: &&Finding| {
        let line = finding.blamed.line.unwrap_or_default();
        let file = finding.blamed.file.as_deref().unwrap_or_default();
        file.ends_with(place.file.0)
            && lines.iter().any(|at| [*at, Family::shifted(*at)].contains(&line))
    };
    Some(report.findings().filter(is_named).find(is_there).unwrap_or(first))
}

/// What the blamed function called in another crate.
fn called(finding: &Finding) -> Option<String> {
    let stack = &finding.lead().subject.stack;
    let within = stack.iter().take_while(|frame| **frame != finding.blamed);
    let mut outside = within.filter(|frame| matches!(frame.origin, Origin::Dependency(_)));
    outside.next().map(|frame| plain(&frame.function))
}

fn shown(finding: &Finding) -> String {
    let place = finding.blamed.place().unwrap_or_default();
    format!("{} {place}", finding.blamed.function)
}
