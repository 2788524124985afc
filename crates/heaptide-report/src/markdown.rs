//! The report for a job summary or a pull request comment.

use std::fmt::Write;

use heaptide_analyze::finding::{Finding, Gate};
use heaptide_analyze::{Outcome, Report, RunReport};

use crate::number::{objects, significant};
use crate::view::View;
use crate::{call_tree, phrase, sentence, sparkline};

/// Columns of the sparkline in the table of findings: GitHub lays six columns side by side, and a
/// wider one would break the numbers beside it.
const SPARKLINE_COLUMNS: usize = 24;

/// Writes the report.
pub fn write(report: &Report, view: &View) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = page(&mut text, report, view);
    text
}

fn page(out: &mut String, report: &Report, view: &View) -> std::fmt::Result {
    let mark = match report.outcome {
        Outcome::Clean => "✅",
        Outcome::Growth | Outcome::Error => "❌",
        Outcome::Inconclusive => "❔",
    };
    writeln!(out, "## {mark} heaptide: {}\n", phrase::outcome(report.outcome))?;
    writeln!(out, "{}\n", escaped(&phrase::conclusion(report)))?;
    for run in &report.runs {
        write_run(out, run, view)?;
    }
    if let Some(comparison) = &report.comparison {
        writeln!(out, "{}\n", phrase::comparison(comparison))?;
        for (word, function, growth) in phrase::known(comparison) {
            writeln!(out, "- {word}: {} {}", code(function), escaped(&growth))?;
        }
        writeln!(out)?;
    }
    let notes = [
        ("error", &report.errors),
        ("warning", &report.warnings),
        ("undecided", &report.undecided),
    ];
    for (word, sentences) in notes {
        for sentence in sentences {
            writeln!(out, "- **{word}**: {}", escaped(sentence))?;
        }
    }
    Ok(())
}

fn write_run(out: &mut String, run: &RunReport, view: &View) -> std::fmt::Result {
    writeln!(out, "### {}\n", escaped(&phrase::run(run)))?;
    if let Some(projection) = &run.runs_out {
        writeln!(out, "At this pace {}.\n", escaped(&phrase::runs_out(projection)))?;
    }
    if !run.findings.is_empty() {
        writeln!(out, "| finding | objects/op | bytes/op | per hour | alive by birth | result |")?;
        writeln!(out, "|---|--:|--:|--:|---|---|")?;
        for finding in &run.findings {
            write_row(out, finding, view)?;
        }
        writeln!(out)?;
    }
    if let Some(tree) = run.grows_under.as_ref().filter(|tree| !tree.calls.is_empty()) {
        writeln!(out, "{}\n\n```text", escaped(&call_tree::headline(tree)))?;
        call_tree::lines(tree, view, usize::MAX)
            .iter()
            .try_for_each(|line| writeln!(out, "{line}"))?;
        writeln!(out, "```\n")?;
    }
    for finding in &run.findings {
        write_details(out, finding, view)?;
    }
    writeln!(out, "{}\n", escaped(&phrase::classes(run)))
}

fn write_row(out: &mut String, finding: &Finding, view: &View) -> std::fmt::Result {
    let rate = &finding.rate;
    let cohorts: Vec<u64> = phrase::evidence_site(finding)
        .verdict
        .evidence
        .cohorts
        .iter()
        .map(|bar| bar.objects)
        .collect();
    writeln!(
        out,
        "| {}<br>{} | {} | {} | {} | {} | {} |",
        code(&finding.blamed.function),
        code(&view.place(&finding.blamed).unwrap_or_default()),
        significant(rate.objects_per_op),
        phrase::bytes_per_op(rate),
        phrase::bytes_per_hour(rate),
        code(&sparkline::draw(&cohorts, SPARKLINE_COLUMNS)),
        phrase::gate(finding.ruling.gate),
    )
}

fn write_details(out: &mut String, finding: &Finding, view: &View) -> std::fmt::Result {
    let (id, word) = (&finding.id, finding.class.word());
    let sure = phrase::confidence(finding.confidence);
    writeln!(out, "<details><summary>{id}: {word}, {sure}</summary>\n")?;
    let evidence = &phrase::evidence_site(finding).verdict.evidence;
    let about = [phrase::change(finding), phrase::counted_per(finding), phrase::needs(finding)];
    let about = about.into_iter().flatten();
    for sentence in about.chain(phrase::excluded(finding)) {
        writeln!(out, "- {}", escaped(&sentence))?;
    }
    for condition in evidence.would_change.iter().filter_map(sentence::condition) {
        writeln!(out, "- would look different if {}", escaped(&condition))?;
    }
    writeln!(
        out,
        "- {}: {}\n",
        phrase::gate(finding.ruling.gate),
        escaped(&finding.ruling.because)
    )?;
    writeln!(out, "```text")?;
    for frame in &finding.lead().subject.stack {
        let place = view.place(frame).map(|place| format!("  {place}")).unwrap_or_default();
        writeln!(out, "{}{place}", frame.function)?;
    }
    writeln!(out, "```\n")?;
    if finding.ruling.gate != Gate::Pass {
        write_allow(out, finding)?;
    }
    writeln!(out, "</details>\n")
}

/// What to paste into the policy if this growth is meant to be.
fn write_allow(out: &mut String, finding: &Finding) -> std::fmt::Result {
    let site = &finding.lead().subject.path;
    let most = finding.lead().verdict.evidence.live_objects.saturating_mul(2);
    writeln!(out, "If this is meant to be, say so in `heaptide.toml`:\n")?;
    writeln!(out, "```toml\n[[allow]]\nsite = {}", toml_string(site))?;
    writeln!(
        out,
        "limit = \"{}\"\nreason = \"WHY\"\nexpires = \"YYYY-MM-DD\"\n```\n",
        objects(most).replace(',', "")
    )
}

/// A JSON string is a TOML string.
fn toml_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Text in which nothing is taken for markup.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '<' | '>' | '*' | '_' | '`' | '|' | '[' | ']' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// Text as code, also inside a table.
fn code(text: &str) -> String {
    match text.is_empty() {
        true => String::new(),
        false => format!("`{}`", text.replace('|', "\\|").replace('`', "'")),
    }
}
