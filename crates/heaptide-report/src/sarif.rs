//! SARIF 2.1.0, for code scanning services.
//!
//! `partialFingerprints` holds the stable id of the site, so that a service knows a finding again
//! after a rebuild and after lines have moved. It stands there a second time under the one name that
//! GitHub looks for; without that, GitHub would take a hash of the source line.

use heaptide_analyze::finding::{Change, Finding, Gate, Ruling};
use heaptide_analyze::identity::NamedFrame;
use heaptide_analyze::verdict::Class;
use heaptide_analyze::{Report, RunReport};
use serde_json::{Map, Value, json};

use crate::location::{self, Location};
use crate::view::View;
use crate::{fields, json, phrase, process};

/// Validators look the version up by this address.
const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
/// Where a code scanning service sends people who ask what a rule means.
const HOME: &str = "https://github.com/heaptide/heaptide";

/// Writes the report. Findings that pass are left out: a service would show them as open.
pub fn write(report: &Report, view: &View) -> String {
    let findings = location::open(report)
        .map(|(run, finding)| result(finding, &Location::of(run, finding, view), view));
    let parts = report.runs.iter().flat_map(|run| part_results(run, view));
    let results: Vec<Value> = findings.chain(parts).collect();
    let driver = json!({
        "name": "heaptide",
        "informationUri": HOME,
        "version": env!("CARGO_PKG_VERSION"),
        "rules": [
            rule(Class::Leak, "Memory that is never given back"),
            rule(Class::Suspect, "Memory that may never be given back"),
            outside_rule(),
        ],
    });
    let notes = report.errors.iter().map(|text| note("error", text));
    let notes: Vec<Value> =
        notes.chain(report.warnings.iter().map(|text| note("warning", text))).collect();
    let invocation = json!({
        "executionSuccessful": report.errors.is_empty(),
        "exitCode": report.outcome.exit_code(),
        "toolExecutionNotifications": notes,
    });
    json::pretty(&json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": driver },
            "invocations": [invocation],
            "results": results,
        }],
    }))
}

fn rule(class: Class, text: &str) -> Value {
    json!({
        "id": phrase::rule(class),
        "shortDescription": { "text": text },
        "helpUri": HOME,
    })
}

fn outside_rule() -> Value {
    json!({
        "id": phrase::OUTSIDE,
        "shortDescription": { "text": "A process that grows outside the recorded heap" },
        "helpUri": HOME,
    })
}

/// Parts of the process that somebody ruled on and did not let pass.
fn part_results(run: &RunReport, view: &View) -> Vec<Value> {
    // It has no place in the source, and a service shows nothing that has no place at all.
    let exe = view.relative(&run.exe);
    let place = physical(exe, None, !exe.starts_with('/'));
    let open = process::ruled(run).filter(|(_, ruling)| ruling.gate != Gate::Pass);
    let result = |(part, ruling): (process::Judged<'_>, &Ruling)| {
        let text = format!(
            "{} of {}: {}, {}.",
            part.name,
            phrase::program(run),
            part.class.word(),
            part.growth()
        );
        json!({
            "ruleId": phrase::OUTSIDE,
            "level": level(ruling.gate),
            "message": { "text": text },
            "locations": [{ "physicalLocation": place }],
            "partialFingerprints": { "heaptidePart/v1": part.name },
            "properties": Map::from_iter(
                part.fields().into_iter().map(|(name, value)| (name.to_owned(), value)),
            ),
        })
    };
    open.map(result).collect()
}

fn level(gate: Gate) -> &'static str {
    match gate {
        Gate::Fail => "error",
        Gate::Warn | Gate::Undecided => "warning",
        Gate::Pass => "note",
    }
}

fn note(level: &str, text: &str) -> Value {
    json!({ "level": level, "message": { "text": text } })
}

fn result(finding: &Finding, location: &Location<'_>, view: &View) -> Value {
    let lead = finding.lead();
    let frames: Vec<Value> =
        lead.subject.stack.iter().map(|frame| stack_frame(frame, view)).collect();
    let path = ("path", Value::from(lead.subject.path.as_str()));
    let fields = fields::of(finding, view).into_iter().chain([path]);
    let mut result = json!({
        "ruleId": phrase::rule(finding.class),
        "level": level(finding.ruling.gate),
        "message": { "text": message(finding, location) },
        "locations": [{ "physicalLocation": physical(
            location.path, location.line, location.is_below_root,
        ) }],
        "partialFingerprints": {
            "heaptideSite/v1": finding.id,
            "primaryLocationLineHash": finding.id,
        },
        "stacks": [{ "message": { "text": "allocated here" }, "frames": frames }],
        "properties": Map::from_iter(fields.map(|(name, value)| (name.to_owned(), value))),
    });
    if let Some(change) = &finding.change {
        let is_new = matches!(change, Change::New { .. });
        result["baselineState"] = if is_new { "new".into() } else { "updated".into() };
    }
    result
}

fn message(finding: &Finding, location: &Location<'_>) -> String {
    let mut lines = vec![phrase::message(finding)];
    lines.extend(location.note.clone());
    lines.extend(phrase::change(finding).map(|change| format!("{change}.")));
    lines.join("\n")
}

fn stack_frame(frame: &NamedFrame, view: &View) -> Value {
    let mut location = json!({ "message": { "text": frame.function } });
    if let Some(file) = view.file(frame) {
        let is_below_root = view.file_below_root(frame).is_some();
        location["physicalLocation"] = physical(file, frame.line, is_below_root);
    }
    json!({ "location": location })
}

fn physical(file: &str, line: Option<u32>, is_below_root: bool) -> Value {
    let artifact = match (is_below_root, file.starts_with('/')) {
        (true, _) => json!({ "uri": uri(file), "uriBaseId": "%SRCROOT%" }),
        (false, true) => json!({ "uri": format!("file://{}", uri(file)) }),
        (false, false) => json!({ "uri": uri(file) }),
    };
    let mut place = json!({ "artifactLocation": artifact });
    if let Some(line) = line.filter(|&line| line > 0) {
        place["region"] = json!({ "startLine": line });
    }
    place
}

/// A path as a URI: what may not stand in one, percent-encoded.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(byte.into());
            }
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    #[test]
    fn paths_become_uris() {
        assert_eq!(super::uri("/a b/ü.rs"), "/a%20b/%C3%BC.rs");
    }
}
