//! The data of a page: what its scripts read, and nothing else.
//!
//! Sentences come ready from the modules that all outputs share; numbers that are drawn come as
//! series, written as differences, since most sites do not change from one moment to the next.

use std::collections::BTreeMap;

use heaptide_analyze::view::{Live, RunView, SiteView};
use heaptide_analyze::{Outcome, Report, RunReport};
use serde::Serialize;

use super::finding::FindingData;
use super::names::Names;
use super::sources::Sources;
use super::timeline::TimelineData;
use crate::number::{bytes, count, duration, plural};
use crate::view::View;
use crate::{call_tree, phrase, process};

#[derive(Debug, Serialize)]
pub(super) struct PageData<'a> {
    writer: String,
    outcome: OutcomeData,
    conclusion: String,
    errors: &'a [String],
    undecided: &'a [String],
    warnings: &'a [String],
    compared: Vec<String>,
    /// Moments of a run at most.
    moments: usize,
    runs: Vec<RunData<'a>>,
}

#[derive(Debug, Serialize)]
struct OutcomeData {
    word: &'static str,
    exit_code: u8,
    tone: &'static str,
}

#[derive(Debug, Serialize)]
struct RunData<'a> {
    title: &'a str,
    pid: u32,
    recording: &'a str,
    about: Vec<(&'static str, String)>,
    classes: BTreeMap<&'static str, usize>,
    leaking: Option<String>,
    runs_out: Option<String>,
    limit_bytes: Option<u64>,
    grows_under: Vec<String>,
    findings: Vec<FindingData<'a>>,
    /// What the process holds besides, as far as it was judged.
    parts: Vec<PartRow<'a>>,
    /// What of it is free, and why it is kept.
    retained: Option<String>,
    timeline: TimelineData,
    columns: ColumnsData,
    sites: Vec<SiteData<'a>>,
    n_other_sites: usize,
    others: SeriesData,
    line_anchor: &'static str,
    #[serde(flatten)]
    names: Names,
}

/// A part of the process, or the number of its threads or descriptors.
#[derive(Debug, Serialize)]
struct PartRow<'a> {
    name: &'static str,
    class: &'static str,
    may_grow: bool,
    first_and_last: String,
    growth: String,
    /// Where somebody has ruled on it: what that means, and why.
    result: Option<&'static str>,
    because: Option<&'a str>,
    advice: Option<String>,
}

#[derive(Debug, Serialize)]
struct ColumnsData {
    seq: Vec<u64>,
    t: Vec<f64>,
    /// How many of them are judged: all but the exit.
    judged: usize,
    warm_up: usize,
    mature: usize,
}

#[derive(Debug, Serialize)]
struct SiteData<'a> {
    id: &'a str,
    name: &'a str,
    class: &'static str,
    place: Option<String>,
    tag: Option<&'a str>,
    is_own: bool,
    allocs: u64,
    frees: u64,
    stack: Vec<usize>,
    #[serde(flatten)]
    series: SeriesData,
    /// Column of birth, objects, bytes.
    survivors: Vec<(usize, u64, u64)>,
    map: Option<&'a [Vec<u64>]>,
}

/// The first number of each series, and then what it changes by.
#[derive(Debug, Serialize)]
struct SeriesData {
    objects: Vec<i128>,
    bytes: Vec<i128>,
}

impl<'a> PageData<'a> {
    pub(super) fn of(
        report: &'a Report,
        runs: &'a [RunView],
        view: &View,
        sources: &'a Sources,
    ) -> Self {
        let outcome = OutcomeData {
            word: phrase::outcome(report.outcome),
            exit_code: report.outcome.exit_code(),
            tone: tone(report.outcome),
        };
        let compared = report.comparison.iter().flat_map(|comparison| {
            let known = phrase::known(comparison).into_iter();
            let known =
                known.map(|(word, function, growth)| format!("{word}: {function}  {growth}"));
            std::iter::once(phrase::comparison(comparison)).chain(known)
        });
        let pairs = report.runs.iter().zip(runs);
        Self {
            writer: format!("heaptide {}", env!("CARGO_PKG_VERSION")),
            outcome,
            conclusion: phrase::conclusion(report),
            errors: &report.errors,
            undecided: &report.undecided,
            warnings: &report.warnings,
            compared: compared.collect(),
            moments: runs.iter().map(|run| run.columns.len()).max().unwrap_or(0),
            runs: pairs.map(|(judged, run)| RunData::of(judged, run, view, sources)).collect(),
        }
    }
}

impl<'a> RunData<'a> {
    fn of(judged: &'a RunReport, run: &'a RunView, view: &View, sources: &'a Sources) -> Self {
        let mut names = Names::default();
        let findings = judged.findings.iter();
        let findings =
            findings.map(|it| FindingData::of(it, run, &mut names, view, sources)).collect();
        let sites = run.sites.iter();
        let sites = sites.map(|it| SiteData::of(it, &mut names, view, sources)).collect();
        let seconds = |ns: u64| ns as f64 / 1e9;
        let classes = judged.classes.iter().filter(|(_, n)| **n > 0);
        let tree = judged.grows_under.iter().flat_map(|tree| {
            let lines = call_tree::lines(tree, view, usize::MAX);
            std::iter::once(call_tree::headline(tree)).chain(lines)
        });
        Self {
            title: phrase::program(judged),
            pid: judged.pid,
            recording: &run.timeline.header.recording,
            about: about(judged, run),
            classes: classes.map(|(class, n)| (class.word(), *n)).collect(),
            leaking: phrase::leaking_rate(judged),
            runs_out: judged.runs_out.as_ref().and_then(phrase::runs_out),
            limit_bytes: judged.memory_limit_bytes,
            grows_under: tree.collect(),
            findings,
            parts: process::judged(judged).map(|part| PartRow::of(&part, judged)).collect(),
            retained: process::retained(judged),
            timeline: TimelineData::of(&run.timeline.points),
            columns: ColumnsData {
                seq: run.columns.iter().map(|column| column.seq).collect(),
                t: run.columns.iter().map(|column| seconds(column.elapsed_ns)).collect(),
                judged: run.columns.iter().filter(|column| column.is_judged).count(),
                warm_up: run.warm_up_columns,
                mature: run.mature_columns,
            },
            sites,
            n_other_sites: run.n_other_sites,
            others: SeriesData::of(&run.other_sites),
            line_anchor: sources.repository.as_ref().map_or("", |it| it.forge.line_anchor()),
            names,
        }
    }
}

impl<'a> PartRow<'a> {
    fn of(part: &process::Judged<'a>, run: &RunReport) -> Self {
        let ruling = part.ruling;
        Self {
            name: part.name,
            class: part.class.word(),
            may_grow: part.class.may_grow(),
            first_and_last: part.first_and_last(),
            growth: part.growth(),
            result: ruling.map(|ruling| phrase::gate(ruling.gate)),
            because: ruling.map(|ruling| &*ruling.because),
            advice: part.advice(run).filter(|_| part.class.may_grow() || ruling.is_some()),
        }
    }
}

impl<'a> SiteData<'a> {
    fn of(site: &'a SiteView, names: &mut Names, view: &View, sources: &Sources) -> Self {
        let subject = &site.subject;
        let survivors = site.survivors.iter();
        Self {
            id: &subject.id,
            name: &subject.path,
            class: site.class.word(),
            place: view.place(&subject.blamed),
            tag: subject.tag.as_deref(),
            is_own: subject.blamed.is_own(),
            allocs: site.counts.allocs,
            frees: site.counts.frees,
            stack: names.stack(&subject.stack, view, sources),
            series: SeriesData::of(&site.live),
            survivors: survivors
                .map(|born| (born.column, born.live.objects, born.live.bytes))
                .collect(),
            map: site.cohort_map.as_deref(),
        }
    }
}

impl SeriesData {
    fn of(live: &[Live]) -> Self {
        Self {
            objects: differences(live.iter().map(|live| live.objects)),
            bytes: differences(live.iter().map(|live| live.bytes)),
        }
    }
}

fn differences(numbers: impl Iterator<Item = u64>) -> Vec<i128> {
    let mut before = 0;
    numbers
        .map(|number| i128::from(number) - i128::from(std::mem::replace(&mut before, number)))
        .collect()
}

pub(super) fn tone(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Clean | Outcome::Passes => "good",
        Outcome::Growth | Outcome::Error => "bad",
        Outcome::Inconclusive => "doubt",
    }
}

/// What a reader may want to know of the run itself.
fn about(judged: &RunReport, run: &RunView) -> Vec<(&'static str, String)> {
    let header = &run.timeline.header;
    let work = judged.work.iter().map(|(name, n)| format!("{} {name}", count(*n)));
    let dropped = judged.dropped;
    let missing = [
        (dropped.sites, "blocks without a site"),
        (dropped.frames, "blocks with a cut stack"),
        (dropped.samples, "lost samples"),
        (dropped.blocks, "uncounted blocks"),
        (dropped.overruns, "overwritten trailers"),
        (dropped.snapshots, "dropped snapshots"),
    ];
    let budget = run.timeline.points.last().and_then(|point| point.budget).unwrap_or_default();
    let met = (budget.refused > 0).then(|| format!("met {} times", count(budget.refused)));
    let missing: Vec<String> = missing
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{} {what}", count(*n)))
        .collect();
    let mode = match judged.mode {
        heaptide_format::Mode::Exact => "exact".to_owned(),
        heaptide_format::Mode::Sampled { period_bytes } => phrase::sampled(period_bytes),
    };
    let snapshots = plural(judged.snapshots as u64, "snapshot", "snapshots");
    let facts = [
        ("Program", judged.exe.clone()),
        ("Process", format!("{} on {}", judged.pid, header.host)),
        ("Build id", judged.build_id.clone().unwrap_or_default()),
        ("Recorded", format!("{snapshots} in {}, {mode}", duration(judged.elapsed_ns))),
        ("Work", work.collect::<Vec<_>>().join(", ")),
        ("Resident at the end", bytes(judged.rss_bytes)),
        ("Live at the end", bytes(judged.heap.live_bytes)),
        ("Call sites", phrase::classes(judged)),
        ("Missing", missing.join(", ")),
        ("Memory budget", met.unwrap_or_default()),
    ];
    facts.into_iter().filter(|(_, text)| !text.is_empty()).collect()
}
