//! GitHub workflow commands: annotations where the leaks are, and one summary.
//!
//! The worst few findings get an annotation each and the rest are counted: GitHub drops annotations
//! past its limit without a word.

use heaptide_analyze::finding::{Finding, Gate, Ruling};
use heaptide_analyze::{Outcome, Report};

use crate::escape::{Escaped, Message, Property};
use crate::location::{self, Location};
use crate::number::plural;
use crate::view::View;
use crate::{phrase, process};

/// Findings with an annotation of their own. GitHub shows about ten annotations of a step, and the
/// summary and other steps need some of them.
const MOST: usize = 5;

/// Writes the report.
pub fn write(report: &Report, view: &View) -> String {
    let open: Vec<_> = location::open(report).collect();
    let mut commands: Vec<Escaped<Message>> = open
        .iter()
        .take(MOST)
        .map(|(run, finding)| annotation(finding, &Location::of(run, finding, view)))
        .collect();
    let rest = open.len().saturating_sub(MOST) as u64;
    if rest > 0 {
        let findings = plural(rest, "more finding", "more findings");
        let text = Escaped::text(&format!("{findings}; see the full report"));
        commands.push(command("warning", [("title", "heaptide")], &text));
    }
    let parts = report.runs.iter().flat_map(process::ruled);
    commands.extend(parts.filter_map(|(part, ruling)| part_annotation(&part, ruling)));
    commands.extend(
        report
            .errors
            .iter()
            .map(|text| command("error", [("title", "heaptide")], &Escaped::text(text))),
    );
    let level = match report.outcome {
        Outcome::Clean | Outcome::Passes => "notice",
        Outcome::Inconclusive => "warning",
        Outcome::Growth | Outcome::Error => "error",
    };
    let title = format!("heaptide: {}", phrase::outcome(report.outcome));
    let conclusion = Escaped::text(&phrase::conclusion(report));
    commands.push(command(level, [("title", title.as_str())], &conclusion));
    Escaped::join(commands, "").into()
}

fn annotation(finding: &Finding, location: &Location<'_>) -> Escaped<Message> {
    let level = match finding.ruling.gate {
        Gate::Fail => "error",
        Gate::Undecided | Gate::Warn | Gate::Pass => "warning",
    };
    let line = location.line.filter(|_| location.is_below_root).map(|line| line.to_string());
    let title = format!("{} in {}", finding.class.word(), phrase::name(finding));
    let file = location.is_below_root.then_some(("file", location.path));
    let line = line.as_deref().map(|line| ("line", line));
    let properties = [file, line, Some(("title", title.as_str()))];
    let change = phrase::change(finding).unwrap_or_else(|| finding.ruling.because.clone());
    let texts = [Some(phrase::growth(&finding.rate)), location.note.clone(), Some(change)];
    let text = Escaped::join(texts.iter().flatten().map(|text| Escaped::text(text)), "%0A");
    command(level, properties.into_iter().flatten(), &text)
}

/// What a part of the process does that nobody let pass; it has no line in the source.
fn part_annotation(part: &process::Judged<'_>, ruling: &Ruling) -> Option<Escaped<Message>> {
    let level = match ruling.gate {
        Gate::Fail => "error",
        Gate::Undecided | Gate::Warn => "warning",
        Gate::Pass => return None,
    };
    let title = format!("{}: {}", part.name, part.class.word());
    let texts = [part.growth(), ruling.because.clone()];
    let text = Escaped::join(texts.iter().map(|text| Escaped::text(text)), "%0A");
    Some(command(level, [("title", title.as_str())], &text))
}

/// `::LEVEL NAME=VALUE,…::TEXT`
fn command<'a>(
    level: &'static str,
    properties: impl IntoIterator<Item = (&'static str, &'a str)>,
    text: &Escaped<Message>,
) -> Escaped<Message> {
    let properties = properties.into_iter().map(|(name, value)| {
        let value = Escaped::<Property>::text(value).into_message();
        Escaped::fill("{}={}", [Escaped::markup(name), value])
    });
    let properties = Escaped::join(properties, ",");
    Escaped::fill("::{} {}::{}\n", [Escaped::markup(level), properties, text.clone()])
}
