//! Test Anything Protocol, version 14: a point per finding and one for the outcome.

use heaptide_analyze::finding::{Finding, Gate};
use heaptide_analyze::{Outcome, Report};
use serde_json::Value;

use crate::view::View;
use crate::{fields, phrase};

/// Writes the report.
pub fn write(report: &Report, view: &View) -> String {
    let mut points: Vec<String> = report.findings().map(|finding| point(finding, view)).collect();
    points.push(overall(report));
    let mut text = format!("TAP version 14\n1..{}\n", points.len());
    for (number, point) in points.iter().enumerate() {
        text += &point.replacen("{}", &(number + 1).to_string(), 1);
    }
    text
}

/// With `{}` where its number belongs.
fn point(finding: &Finding, view: &View) -> String {
    let result = match finding.ruling.gate {
        Gate::Fail => "not ok",
        Gate::Undecided | Gate::Warn | Gate::Pass => "ok",
    };
    let directive = match finding.ruling.gate {
        Gate::Undecided => " # SKIP undecided",
        Gate::Fail | Gate::Warn | Gate::Pass => "",
    };
    let name = description(&finding.blamed.function);
    let growth = ("growth", Value::from(phrase::growth(&finding.rate)));
    let diagnostics = [growth].into_iter().chain(fields::of(finding, view));
    format!("{result} {{}} - {name}{directive}\n{}", yaml(diagnostics))
}

fn overall(report: &Report) -> String {
    let result = match report.outcome {
        Outcome::Growth | Outcome::Error => "not ok",
        Outcome::Clean | Outcome::Passes | Outcome::Inconclusive => "ok",
    };
    let directive = match report.outcome {
        Outcome::Inconclusive => " # SKIP inconclusive",
        Outcome::Clean | Outcome::Passes | Outcome::Growth | Outcome::Error => "",
    };
    let name = phrase::outcome(report.outcome);
    let diagnostics = yaml([("conclusion", phrase::conclusion(report).into())]);
    format!("{result} {{}} - {name}{directive}\n{diagnostics}")
}

/// JSON values are YAML values.
fn yaml(entries: impl IntoIterator<Item = (&'static str, Value)>) -> String {
    let lines: String =
        entries.into_iter().map(|(key, value)| format!("  {key}: {value}\n")).collect();
    format!("  ---\n{lines}  ...\n")
}

/// A description: `#` would begin a directive.
fn description(text: &str) -> String {
    text.replace('\\', "\\\\").replace('#', "\\#")
}
