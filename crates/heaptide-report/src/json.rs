//! The report for programs: everything, under a version. `docs/report.schema.json` documents it.

use heaptide_analyze::Report;
use heaptide_analyze::dump::Dump;
use serde::Serialize;

use crate::escape;

/// The version of the document; it grows when a member changes its meaning or goes.
pub const REPORT_VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    version: u32,
    exit_code: u8,
    #[serde(flatten)]
    report: &'a Report,
}

/// Writes the report, indented, with a final line feed.
pub fn write(report: &Report) -> String {
    let exit_code = report.outcome.exit_code();
    let document =
        Document { schema: "heaptide-report", version: REPORT_VERSION, exit_code, report };
    pretty(&document)
}

/// One snapshot as JSON: a *dump*, which every command takes in place of a recording.
pub fn dump(dump: &Dump) -> String {
    pretty(dump)
}

/// Indented JSON with a final line feed.
pub(crate) fn pretty(document: &impl Serialize) -> String {
    // Structs, strings and maps with string keys always have a JSON form.
    serde_json::to_string_pretty(document)
        .map(|text| escape::json(&text) + "\n")
        .unwrap_or_default()
}

/// JSON on one line, without a line feed: for programs, and for whoever looks over their shoulder.
pub fn line(document: &impl Serialize) -> String {
    serde_json::to_string(document).map(|text| escape::json(&text)).unwrap_or_default()
}
