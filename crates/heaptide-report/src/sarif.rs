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
            LEAK.describe(&phrase::rule(Class::Leak)),
            SUSPECT.describe(&phrase::rule(Class::Suspect)),
            OUTSIDE.describe(phrase::OUTSIDE),
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

/// What a service says of all results of one kind: GitHub refuses a rule that lacks one of these.
struct Rule {
    title: &'static str,
    meaning: &'static str,
    help: &'static str,
}

const LEAK: Rule = Rule {
    title: "Memory that is never given back",
    meaning: "The work of the program leaves memory behind that nobody frees, at a rate that does not \
              fall: the process grows until there is no more.",
    help: "Ask of the function and of its callers who was to free this memory, and when: a store without \
           a limit, a map whose entries are only ever inserted, a task that waits for ever. Growth that is \
           meant is accepted by an [[allow]] entry of heaptide.toml, or by a baseline.",
};

const SUSPECT: Rule = Rule {
    title: "Memory that may never be given back",
    meaning: "Memory is kept, and the run was too short or its growth too uneven to tell whether that ends.",
    help: "Run the program for longer, or under more load: the report says how many more snapshots it \
           needs. A cache that is still filling looks like this; an [[allow]] entry of heaptide.toml gives \
           it its bound.",
};

const OUTSIDE: Rule = Rule {
    title: "A process that grows outside the recorded heap",
    meaning: "A part of the process grows steadily that no recorded call site accounts for: memory of C \
              code, stacks of threads, mappings, or memory that the allocator keeps.",
    help: "`heaptide doctor RECORDING` says what the process holds, part by part. Growth that is meant gets \
           a budget in heaptide.toml, under `parts` of [budget].",
};

impl Rule {
    fn describe(&self, id: &str) -> Value {
        json!({
            "id": id,
            "shortDescription": { "text": self.title },
            "fullDescription": { "text": self.meaning },
            "help": { "text": self.help },
            "helpUri": HOME,
        })
    }
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
