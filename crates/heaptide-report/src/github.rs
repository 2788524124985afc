//! GitHub workflow commands: annotations where the leaks are, and one summary.
//!
//! The worst few findings get an annotation each and the rest are counted: GitHub drops annotations
//! past its limit without a word.

use heaptide_analyze::finding::{Finding, Gate};
use heaptide_analyze::{Outcome, Report};

use crate::number::plural;
use crate::phrase;
use crate::view::View;

/// Findings with an annotation of their own. GitHub shows about ten annotations of a step, and the
/// summary and other steps need some of them.
const MOST: usize = 5;

/// Writes the report.
pub fn write(report: &Report, view: &View) -> String {
    let open: Vec<&Finding> =
        report.findings().filter(|finding| finding.ruling.gate != Gate::Pass).collect();
    let mut lines: Vec<String> =
        open.iter().take(MOST).map(|finding| annotation(finding, view)).collect();
    let rest = open.len().saturating_sub(MOST) as u64;
    if rest > 0 {
        let findings = plural(rest, "more finding", "more findings");
        lines.push(format!("::warning title=heaptide::{findings}; see the full report"));
    }
    lines
        .extend(report.errors.iter().map(|text| format!("::error title=heaptide::{}", data(text))));
    let level = match report.outcome {
        Outcome::Clean | Outcome::Passes => "notice",
        Outcome::Inconclusive => "warning",
        Outcome::Growth | Outcome::Error => "error",
    };
    let title = property(&format!("heaptide: {}", phrase::outcome(report.outcome)));
    lines.push(format!("::{level} title={title}::{}", data(&phrase::conclusion(report))));
    lines.join("\n") + "\n"
}

fn annotation(finding: &Finding, view: &View) -> String {
    let level = match finding.ruling.gate {
        Gate::Fail => "error",
        Gate::Undecided | Gate::Warn | Gate::Pass => "warning",
    };
    let mut properties = Vec::new();
    if let Some(file) = view.file(&finding.blamed) {
        properties.push(format!("file={}", property(file)));
    }
    if let Some(line) = finding.blamed.line {
        properties.push(format!("line={line}"));
    }
    let title = format!("{} in {}", finding.class.word(), phrase::name(finding));
    properties.push(format!("title={}", property(&title)));
    let change = phrase::change(finding).unwrap_or_else(|| finding.ruling.because.clone());
    let text = format!("{}\n{change}", phrase::growth(&finding.rate));
    format!("::{level} {}::{}", properties.join(","), data(&text))
}

/// The text of a command: one line.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property: neither colon nor comma.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
