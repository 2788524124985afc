//! What a monitoring system scrapes: the text exposition format of Prometheus.
//!
//! Its size is bounded whatever the recordings say: so many processes, so many findings of each, so many
//! characters in a label.

use heaptide_analyze::finding::Finding;
use heaptide_analyze::process::{Part, PartName, of_account};
use heaptide_analyze::view::RunView;
use heaptide_analyze::{Outcome, RunReport};

use crate::escape::{Escaped, Terminal};
use crate::parts::{STACKED, with_parts};
use crate::phrase;
use crate::view::View;

/// Findings of a process beyond these are counted, not told.
const MOST_FINDINGS: usize = 20;
/// A label that is longer is cut.
const MOST_LABEL_CHARS: usize = 160;

/// One process, judged.
#[derive(Clone, Copy, Debug)]
pub struct Process<'a> {
    /// What it goes by in labels: short, and the same as long as its recording is there.
    pub recording: &'a str,
    /// How its report ended.
    pub outcome: Outcome,
    /// Its report.
    pub judged: &'a RunReport,
    /// How it went over time.
    pub run: &'a RunView,
}

/// A metric: its name, its type, what it means, and its samples.
struct Metric {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    samples: String,
}

/// Writes all processes. Values are those of the last judged snapshot.
pub fn write(processes: &[Process<'_>], view: &View) -> String {
    let mut text = String::new();
    for metric in metrics(processes, view) {
        if !metric.samples.is_empty() {
            let Metric { name, kind, help, samples } = metric;
            text += &format!("# HELP {name} {help}\n# TYPE {name} {kind}\n{samples}");
        }
    }
    text
}

fn metrics(processes: &[Process<'_>], view: &View) -> Vec<Metric> {
    let mut metrics = one_a_process(processes);
    metrics.extend(several_a_process(processes, view));
    metrics
}

/// Metrics that have one number for each process.
fn one_a_process(processes: &[Process<'_>]) -> Vec<Metric> {
    let gauge = |name, help, value: &dyn Fn(&Process<'_>) -> Option<f64>| {
        let samples = processes.iter().filter_map(|it| Some(sample(name, &labels(it), value(it)?)));
        Metric { name, kind: "gauge", help, samples: samples.collect() }
    };
    vec![
        gauge("heaptide_live_bytes", "Live bytes of the recorded heap.", &|it| {
            Some(it.judged.heap.live_bytes as f64)
        }),
        gauge("heaptide_live_objects", "Live blocks of the recorded heap.", &|it| {
            Some(it.judged.heap.live_objects as f64)
        }),
        gauge("heaptide_resident_bytes", "Resident set size.", &|it| {
            Some(it.judged.rss_bytes as f64)
        }),
        gauge("heaptide_limit_bytes", "Memory limit of the process.", &|it| {
            it.judged.memory_limit_bytes.map(|bytes| bytes as f64)
        }),
        gauge(
            "heaptide_leaking_bytes_per_hour",
            "Growth of all call sites that leak together, at the load of the run.",
            &|it| Some(it.judged.leaking.as_ref().map_or(0.0, |rate| rate.bytes_per_hour())),
        ),
        gauge(
            "heaptide_seconds_to_limit",
            "Time until what leaks fills the memory; absent where nothing leaks or no limit is known.",
            &|it| it.judged.runs_out.map(|runs_out| runs_out.seconds.round()),
        ),
        gauge("heaptide_snapshots", "Snapshots in the recording.", &|it| {
            Some(it.judged.snapshots as f64)
        }),
        gauge(
            "heaptide_last_snapshot_timestamp_seconds",
            "When the last snapshot was taken, in seconds since 1970.",
            &|it| {
                it.run.timeline.points.last().map(|last| {
                    let started_ns = it.run.timeline.header.start_unix_ns;
                    (started_ns.saturating_add(last.elapsed_ns) / 1_000_000_000) as f64
                })
            },
        ),
    ]
}

/// Metrics that have a number for each part, counter or finding of a process.
fn several_a_process(processes: &[Process<'_>], view: &View) -> Vec<Metric> {
    let each = |name, kind, help, samples: &dyn Fn(&Process<'_>) -> String| Metric {
        name,
        kind,
        help,
        samples: processes.iter().map(samples).collect(),
    };
    vec![
        each(
            "heaptide_outcome",
            "gauge",
            "1 for the outcome that holds, 0 for the others.",
            &outcome,
        ),
        each("heaptide_part_bytes", "gauge", "What the process holds, by part.", &parts),
        each(
            "heaptide_part_bytes_per_hour",
            "gauge",
            "Growth of a part of the process that grows, or may.",
            &growing_parts,
        ),
        each("heaptide_work_total", "counter", "Work counted by the program.", &work),
        each("heaptide_findings", "gauge", "Findings, by class and result.", &findings),
        each(
            "heaptide_finding_bytes_per_hour",
            "gauge",
            "Growth of a finding, at the load of the run.",
            &|it| {
                told(it, view, "heaptide_finding_bytes_per_hour", |finding| {
                    finding.rate.bytes_per_hour()
                })
            },
        ),
        each("heaptide_finding_live_bytes", "gauge", "Live bytes of a finding.", &|it| {
            told(it, view, "heaptide_finding_live_bytes", |finding| {
                let sites = finding.sites.iter();
                sites.map(|site| site.verdict.evidence.live_bytes as f64).sum()
            })
        }),
    ]
}

fn labels(process: &Process<'_>) -> String {
    let program = label("program", phrase::program(process.judged));
    let host = label("host", &process.run.timeline.header.host);
    format!("{},{program},{host}", label("recording", process.recording))
}

fn outcome(process: &Process<'_>) -> String {
    let all =
        [Outcome::Clean, Outcome::Passes, Outcome::Growth, Outcome::Error, Outcome::Inconclusive];
    let line = |outcome: Outcome| {
        let word = match outcome {
            Outcome::Clean => "clean",
            Outcome::Passes => "passes",
            Outcome::Growth => "growth",
            Outcome::Error => "error",
            Outcome::Inconclusive => "inconclusive",
        };
        let labels = format!("{},{}", labels(process), label("outcome", word));
        sample("heaptide_outcome", &labels, f64::from(u8::from(outcome == process.outcome)))
    };
    all.into_iter().map(line).collect()
}

fn parts(process: &Process<'_>) -> String {
    let last = process.run.timeline.points.iter().rev().find_map(with_parts);
    let Some(last) = last else { return String::new() };
    let line = |name: PartName| {
        let labels = format!("{},{}", labels(process), label("part", name.word()));
        Some(sample("heaptide_part_bytes", &labels, of_account(name, last)? as f64))
    };
    STACKED.into_iter().filter_map(line).collect()
}

fn growing_parts(process: &Process<'_>) -> String {
    let growing = process.judged.process.parts.iter().filter(|part| part.class.may_grow());
    let line = |part: &Part| {
        let result = part.ruling.as_ref().map_or("passes", |ruling| phrase::gate(ruling.gate));
        let own = [
            label("part", part.name.word()),
            label("class", part.class.word()),
            label("result", result),
        ];
        let labels = format!("{},{}", labels(process), own.join(","));
        sample("heaptide_part_bytes_per_hour", &labels, part.rate().bytes_per_hour())
    };
    growing.map(line).collect()
}

fn work(process: &Process<'_>) -> String {
    let counters = process.judged.work.iter().take(MOST_FINDINGS);
    let line = |(name, done): (&String, &u64)| {
        let labels = format!("{},{}", labels(process), label("work", name));
        sample("heaptide_work_total", &labels, *done as f64)
    };
    counters.map(line).collect()
}

fn findings(process: &Process<'_>) -> String {
    let mut counts = std::collections::BTreeMap::new();
    for finding in &process.judged.findings {
        let kind = (finding.class.word(), phrase::gate(finding.ruling.gate));
        *counts.entry(kind).or_insert(0_u32) += 1;
    }
    // Zero is a number too: an alert must see that there is none.
    counts.entry(("leak", "fails")).or_insert(0);
    let line = |((class, result), n): ((&str, &str), u32)| {
        let labels =
            format!("{},{},{}", labels(process), label("class", class), label("result", result));
        sample("heaptide_findings", &labels, f64::from(n))
    };
    counts.into_iter().map(line).collect()
}

fn told(process: &Process<'_>, view: &View, name: &str, value: impl Fn(&Finding) -> f64) -> String {
    let findings = process.judged.findings.iter().take(MOST_FINDINGS);
    let line = |finding: &Finding| {
        let own = [
            label("site", &finding.id),
            label("function", &phrase::name(finding)),
            label("place", &view.place(&finding.blamed).unwrap_or_default()),
            label("class", finding.class.word()),
            label("result", phrase::gate(finding.ruling.gate)),
        ];
        sample(name, &format!("{},{}", labels(process), own.join(",")), value(finding))
    };
    findings.map(line).collect()
}

fn sample(name: &str, labels: &str, value: f64) -> String {
    format!("{name}{{{labels}}} {value}\n")
}

/// `name="value"`; a value is one line of bounded length, whatever a recording says. What nobody can see is
/// spelt out, since alerts show labels to people.
fn label(name: &str, value: &str) -> String {
    let value: String = Escaped::<Terminal>::text(value).into();
    let mut text = format!("{name}=\"");
    for c in value.chars().take(MOST_LABEL_CHARS) {
        match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_one_line_of_bounded_length() {
        assert_eq!(label("a", "x\"y\\z"), "a=\"x\\\"y\\\\z\"");
        let hidden = label("a", "x\n\x1b[31m\u{202e}y");
        assert!(hidden.chars().all(|c| c.is_ascii_graphic() || c == ' '), "{hidden}");
        assert_eq!(label("a", &"é".repeat(1_000)).chars().count(), MOST_LABEL_CHARS + 4);
    }
}
