//! A finding as a message: what a webhook or a command is handed when it appears.

use heaptide_analyze::RunReport;
use heaptide_analyze::finding::Finding;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::escape::{Chat, Escaped, Terminal};
use crate::json::pretty;
use crate::view::View;
use crate::{fields, phrase};

/// The message. `text` alone tells a person what to know, and is what chat services show.
#[derive(Debug, Serialize)]
struct Alert<'a> {
    text: String,
    program: &'a str,
    pid: u32,
    host: &'a str,
    recording: &'a str,
    finding: Map<String, Value>,
}

/// Services that show it take less or more; the rest stands in the other members.
const MOST_TEXT_CHARS: usize = 1500;

/// One line for a person: what, where, how fast, and when it hurts.
pub fn text(run: &RunReport, finding: &Finding, view: &View) -> String {
    let at = view.place(&finding.blamed).map(|place| format!(" at {place}")).unwrap_or_default();
    let runs_out = run.runs_out.as_ref().or(finding.runs_out.as_ref());
    let runs_out = runs_out.and_then(phrase::runs_out);
    let runs_out = runs_out.map(|when| format!("; {when}")).unwrap_or_default();
    let (program, class) = (phrase::program(run), finding.class.word());
    // In a sentence two spaces set nothing apart.
    let (name, growth) = (phrase::name(finding), phrase::growth(&finding.rate).replace("  ", " "));
    let text = format!("{program} (pid {}): {class} in {name}{at}: {growth}{runs_out}", run.pid);
    // A command may print it, and a terminal or the log of a job then shows it, too.
    let text = Escaped::<Terminal>::text(&text);
    // What begins a line might be a heading or the item of a list.
    Escaped::fill("heaptide: {}", [Escaped::<Chat>::text(&text).beginning(MOST_TEXT_CHARS)]).into()
}

/// The message as JSON, indented, with a final line feed.
pub fn write(
    run: &RunReport,
    finding: &Finding,
    (host, recording): (&str, &str),
    view: &View,
) -> String {
    let fields = fields::of(finding, view);
    pretty(&Alert {
        text: text(run, finding, view),
        program: phrase::program(run),
        pid: run.pid,
        host,
        recording,
        finding: fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
    })
}
