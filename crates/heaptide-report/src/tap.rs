//! Test Anything Protocol, version 14: a point per finding and one for the outcome.

use heaptide_analyze::finding::{Finding, Gate};
use heaptide_analyze::{Outcome, Report};

use crate::phrase;
use crate::view::View;

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
    let mut diagnostics = vec![("growth", phrase::growth(&finding.rate))];
    diagnostics.extend(view.place(&finding.blamed).map(|place| ("at", place)));
    diagnostics.extend(phrase::change(finding).map(|change| ("change", change)));
    diagnostics.push(("site", finding.id.clone()));
    diagnostics.push((phrase::gate(finding.ruling.gate), finding.ruling.because.clone()));
    diagnostics.push(("excluded", phrase::excluded(finding).join("; ")));
    format!("{result} {{}} - {name}{directive}\n{}", yaml(&diagnostics))
}

fn overall(report: &Report) -> String {
    let result = match report.outcome {
        Outcome::Growth | Outcome::Error => "not ok",
        Outcome::Clean | Outcome::Inconclusive => "ok",
    };
    let directive = match report.outcome {
        Outcome::Inconclusive => " # SKIP inconclusive",
        Outcome::Clean | Outcome::Growth | Outcome::Error => "",
    };
    let name = phrase::outcome(report.outcome);
    let diagnostics = yaml(&[("conclusion", phrase::conclusion(report))]);
    format!("{result} {{}} - {name}{directive}\n{diagnostics}")
}

fn yaml(entries: &[(&str, String)]) -> String {
    // A JSON string is a YAML string.
    let quoted = |text: &String| serde_json::Value::from(text.as_str()).to_string();
    let lines: String =
        entries.iter().map(|(key, text)| format!("  {key}: {}\n", quoted(text))).collect();
    format!("  ---\n{lines}  ...\n")
}

/// A description: `#` would begin a directive.
fn description(text: &str) -> String {
    text.replace('\\', "\\\\").replace('#', "\\#")
}
