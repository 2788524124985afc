//! Test Anything Protocol, version 14: a point per finding and one for the outcome.

use heaptide_analyze::finding::{Finding, Gate};
use heaptide_analyze::{Outcome, Report};
use serde_json::Value;

use crate::escape::{Escaped, Tap};
use crate::view::View;
use crate::{fields, phrase};

/// Writes the report.
pub fn write(report: &Report, view: &View) -> String {
    let points = report.findings().map(|finding| point(finding, view));
    let points: Vec<Point> = points.chain([overall(report)]).collect();
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
    let result = match finding.ruling.gate {
        Gate::Fail => "not ok",
        Gate::Undecided | Gate::Warn | Gate::Pass => "ok",
    };
    let directive = match finding.ruling.gate {
        Gate::Undecided => " # SKIP undecided",
        Gate::Fail | Gate::Warn | Gate::Pass => "",
    };
    let mut description = Escaped::text(&finding.blamed.function);
    description.push_markup(directive);
    let growth = ("growth", Value::from(phrase::growth(&finding.rate)));
    let diagnostics = [growth].into_iter().chain(fields::of(finding, view));
    Point { result, description, diagnostics: yaml(diagnostics) }
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
