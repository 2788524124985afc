//! SARIF 2.1.0, for code scanning services.
//!
//! `partialFingerprints` holds the stable id of the site, so that a service knows a finding again
//! after a rebuild and after lines have moved.

use heaptide_analyze::finding::{Change, Finding, Gate, Ruling};
use heaptide_analyze::identity::NamedFrame;
use heaptide_analyze::verdict::Class;
use heaptide_analyze::{Report, RunReport};
use serde_json::{Map, Value, json};

use crate::view::View;
use crate::{fields, json, phrase, process};

/// Validators look the version up by this address.
const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
/// Where a code scanning service sends people who ask what a rule means.
const HOME: &str = "https://github.com/heaptide/heaptide";

/// Writes the report. Findings that pass are left out: a service would show them as open.
pub fn write(report: &Report, view: &View) -> String {
    let open = report.findings().filter(|finding| finding.ruling.gate != Gate::Pass);
    let parts = report.runs.iter().flat_map(part_results);
    let results: Vec<Value> = open.map(|finding| result(finding, view)).chain(parts).collect();
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
        "id": rule_id(class),
        "shortDescription": { "text": text },
        "helpUri": HOME,
    })
}

/// What is found outside the recorded heap has no place in the source.
const OUTSIDE: &str = "heaptide/outside";

fn outside_rule() -> Value {
    json!({
        "id": OUTSIDE,
        "shortDescription": { "text": "A process that grows outside the recorded heap" },
        "helpUri": HOME,
    })
}

/// Parts of the process that somebody ruled on and did not let pass.
fn part_results(run: &RunReport) -> Vec<Value> {
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
            "ruleId": OUTSIDE,
            "level": level(ruling.gate),
            "message": { "text": text },
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

fn rule_id(class: Class) -> String {
    format!("heaptide/{}", class.word())
}

fn note(level: &str, text: &str) -> Value {
    json!({ "level": level, "message": { "text": text } })
}

fn result(finding: &Finding, view: &View) -> Value {
    let lead = finding.lead();
    let frames: Vec<Value> =
        lead.subject.stack.iter().map(|frame| stack_frame(frame, view)).collect();
    let path = ("path", Value::from(lead.subject.path.as_str()));
    let fields = fields::of(finding, view).into_iter().chain([path]);
    let mut result = json!({
        "ruleId": rule_id(finding.class),
        "level": level(finding.ruling.gate),
        "message": { "text": message(finding) },
        "locations": locations(&finding.blamed, view),
        "partialFingerprints": { "heaptideSite/v1": finding.id },
        "stacks": [{ "message": { "text": "allocated here" }, "frames": frames }],
        "properties": Map::from_iter(fields.map(|(name, value)| (name.to_owned(), value))),
    });
    if let Some(change) = &finding.change {
        let is_new = matches!(change, Change::New { .. });
        result["baselineState"] = if is_new { "new".into() } else { "updated".into() };
    }
    result
}

fn message(finding: &Finding) -> String {
    let growth = phrase::growth(&finding.rate);
    let says = format!("{} leaves memory behind: {growth}.", phrase::name(finding));
    let change = phrase::change(finding).map(|change| format!("\n{change}."));
    says + &change.unwrap_or_default()
}

fn locations(frame: &NamedFrame, view: &View) -> Vec<Value> {
    physical(frame, view).map(|place| json!({ "physicalLocation": place })).into_iter().collect()
}

fn stack_frame(frame: &NamedFrame, view: &View) -> Value {
    let mut location = json!({ "message": { "text": frame.function } });
    if let Some(place) = physical(frame, view) {
        location["physicalLocation"] = place;
    }
    json!({ "location": location })
}

fn physical(frame: &NamedFrame, view: &View) -> Option<Value> {
    let file = view.file(frame)?;
    let artifact = match file.starts_with('/') {
        true => json!({ "uri": format!("file://{}", uri(file)) }),
        false => json!({ "uri": uri(file), "uriBaseId": "%SRCROOT%" }),
    };
    let mut place = json!({ "artifactLocation": artifact });
    if let Some(line) = frame.line.filter(|&line| line > 0) {
        place["region"] = json!({ "startLine": line });
    }
    Some(place)
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
