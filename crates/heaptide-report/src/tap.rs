//! Test Anything Protocol, version 14: a point per finding, one per judged part of the process, and one
//! for the outcome.

use heaptide_analyze::finding::{Finding, Gate};
use heaptide_analyze::{Outcome, Report};
use serde_json::Value;

use crate::escape::{Escaped, Tap};
use crate::view::View;
use crate::{fields, phrase, process};

/// Writes the report.
pub fn write(report: &Report, view: &View) -> String {
    let points = report.findings().map(|finding| point(finding, view));
    let parts = report.runs.iter().flat_map(process::judged).map(|part| part_point(&part));
    let points: Vec<Point> = points.chain(parts).chain([overall(report)]).collect();
    let plan = Escaped::text(&points.len().to_string());
    let mut text = Escaped::fill("TAP version 14\n1..{}\n", [plan]);
    for (n, Point { result, description, diagnostics }) in points.into_iter().enumerate() {
        let number = Escaped::text(&(n + 1).to_string());
        let parts = [Escaped::markup(result), number, description, diagnostics];
        text.push(&Escaped::fill("{} {} - {}\n{}", parts));
    }
    text.into()
}

struct Point {
    result: &'static str,
    /// With its directive.
    description: Escaped<Tap>,
    diagnostics: Escaped<Tap>,
}

fn point(finding: &Finding, view: &View) -> Point {
    let (result, directive) = result(finding.ruling.gate);
    let mut description = Escaped::text(&finding.blamed.function);
    description.push_markup(directive);
    let growth = ("growth", Value::from(phrase::growth(&finding.rate)));
    let diagnostics = [growth].into_iter().chain(fields::of(finding, view));
    Point { result, description, diagnostics: yaml(diagnostics) }
}

/// A part of the process that is judged: one that does not grow passes.
fn part_point(part: &process::Judged<'_>) -> Point {
    let (result, directive) = result(part.ruling.map_or(Gate::Pass, |ruling| ruling.gate));
    let mut description = Escaped::markup("process: ");
    description.push_markup(part.name);
    description.push_markup(directive);
    let growth = ("growth", Value::from(part.growth()));
    let diagnostics = [growth].into_iter().chain(part.fields());
    Point { result, description, diagnostics: yaml(diagnostics) }
}

/// How a point begins, and with which directive it ends.
fn result(gate: Gate) -> (&'static str, &'static str) {
    match gate {
        Gate::Fail => ("not ok", ""),
        Gate::Undecided => ("ok", " # SKIP undecided"),
        Gate::Warn | Gate::Pass => ("ok", ""),
    }
}

fn overall(report: &Report) -> Point {
    let result = match report.outcome {
        Outcome::Growth | Outcome::Error => "not ok",
        Outcome::Clean | Outcome::Passes | Outcome::Inconclusive => "ok",
    };
    let directive = match report.outcome {
        Outcome::Inconclusive => " # SKIP inconclusive",
        Outcome::Clean | Outcome::Passes | Outcome::Growth | Outcome::Error => "",
    };
    let mut description = Escaped::markup(phrase::outcome(report.outcome));
    description.push_markup(directive);
    let diagnostics = yaml([("conclusion", phrase::conclusion(report).into())]);
    Point { result, description, diagnostics }
}

/// JSON values are YAML values.
fn yaml(entries: impl IntoIterator<Item = (&'static str, Value)>) -> Escaped<Tap> {
    let line =
        |(key, value)| Escaped::fill("  {}: {}\n", [Escaped::markup(key), Escaped::value(&value)]);
    Escaped::fill("  ---\n{}  ...\n", [Escaped::join(entries.into_iter().map(line), "")])
}
