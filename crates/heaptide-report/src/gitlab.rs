//! GitLab's code quality report: findings at the lines of a merge request.
//!
//! GitLab compares the report of a merge request with that of its target by fingerprint, so this is
//! the stable id of the site. What is not a finding (an error, an inconclusive run) has no place in
//! such a report; the exit code and the other outputs tell it.

use std::collections::BTreeSet;

use heaptide_analyze::finding::{Finding, Gate, Ruling};
use heaptide_analyze::{Report, RunReport};
use serde_json::{Value, json};

use crate::location::{self, Location};
use crate::view::View;
use crate::{json, phrase, process};

/// Writes the report. Findings that pass are left out: GitLab would show them as open.
pub fn write(report: &Report, view: &View) -> String {
    // Two processes of one program have the same sites; GitLab takes a fingerprint once.
    let mut known = BTreeSet::new();
    let findings = location::open(report)
        .filter(|(_, finding)| known.insert(&finding.id))
        .map(|(run, finding)| issue(finding, &Location::of(run, finding, view)));
    let parts = report.runs.iter().flat_map(|run| {
        let open = process::ruled(run).filter(|(_, ruling)| ruling.gate != Gate::Pass);
        open.map(move |(part, ruling)| part_issue(run, &part, ruling, view))
    });
    json::pretty(&findings.chain(parts).collect::<Vec<Value>>())
}

/// What a part of the process does; it has no line in the source, so the executable stands for it.
fn part_issue(run: &RunReport, part: &process::Judged<'_>, ruling: &Ruling, view: &View) -> Value {
    let program = phrase::program(run);
    let (name, class) = (part.name, part.class.word());
    json!({
        "description": format!("{name} of {program}: {class}, {}.", part.growth()),
        "check_name": phrase::OUTSIDE,
        "fingerprint": format!("{program} {name}"),
        "severity": severity(ruling.gate),
        "location": { "path": view.relative(&run.exe), "lines": { "begin": 1 } },
    })
}

fn severity(gate: Gate) -> &'static str {
    match gate {
        Gate::Fail => "major",
        Gate::Undecided | Gate::Warn => "minor",
        Gate::Pass => "info",
    }
}

fn issue(finding: &Finding, location: &Location<'_>) -> Value {
    let mut description = vec![phrase::message(finding)];
    description.extend(location.note.clone());
    description.extend(phrase::change(finding).map(|change| format!("{change}.")));
    json!({
        "description": description.join(" "),
        "check_name": phrase::rule(finding.class),
        "fingerprint": finding.id,
        "severity": severity(finding.ruling.gate),
        "location": {
            "path": location.path,
            "lines": { "begin": location.line.unwrap_or(1) },
        },
    })
}
