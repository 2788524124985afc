//! A finding as its card shows it: the sentences of the other outputs, and what is drawn beside them.

use heaptide_analyze::finding::Finding;
use heaptide_analyze::verdict::{Channel, Stage};
use heaptide_analyze::view::{RunView, SiteView};
use serde::Serialize;

use super::names::{Names, link_to};
use super::sources::{Snippet, Sources};
use crate::number::duration;
use crate::phrase;
use crate::sentence;
use crate::view::View;

/// Survivors up to this share of all may be older than the leak: what a program makes when it starts.
const BEFORE_IT_BEGAN: f64 = 0.01;

#[derive(Debug, Serialize)]
pub(super) struct FindingData<'a> {
    id: &'a str,
    /// The site whose evidence is shown.
    site: &'a str,
    class: &'static str,
    confidence: &'static str,
    result: &'static str,
    name: String,
    place: Option<String>,
    line: Option<u32>,
    link: Option<String>,
    /// What stands around the function to blame: by which function of a dependency, called by whom.
    around: Vec<String>,
    growth: String,
    since: Option<String>,
    runs_out: Option<String>,
    notes: Vec<String>,
    /// What is alive by birth, oldest first: how many objects, and how far they have come.
    cohorts: Vec<(u64, &'static str)>,
    counts: String,
    excluded: Vec<String>,
    would_change: Option<String>,
    ruling: String,
    stack: Vec<usize>,
    source: Option<&'a Snippet>,
}

impl<'a> FindingData<'a> {
    pub(super) fn of(
        finding: &'a Finding,
        run: &RunView,
        names: &mut Names,
        view: &View,
        sources: &'a Sources,
    ) -> Self {
        let blamed = &finding.blamed;
        let shown = phrase::evidence_site(finding);
        let site = run.sites.iter().find(|site| site.subject.id == shown.subject.id);
        let cohorts = &shown.verdict.evidence.cohorts;
        let file = blamed.file.as_deref();
        let link = file.and_then(|file| link_to(blamed, file, sources));
        let anchor = sources.repository.as_ref().map_or("", |it| it.forge.line_anchor());
        Self {
            id: &finding.id,
            site: &shown.subject.id,
            class: finding.class.word(),
            confidence: phrase::confidence(finding.confidence),
            result: phrase::gate(finding.ruling.gate),
            name: phrase::name(finding),
            place: view.place(blamed),
            line: blamed.line,
            link: link.map(|link| match blamed.line {
                Some(line) => format!("{link}{anchor}{line}"),
                None => link,
            }),
            around: around(finding, view),
            growth: phrase::growth(&finding.rate),
            since: site
                .filter(|_| shown.verdict.channel == Channel::Objects)
                .and_then(|site| since(site, run)),
            runs_out: finding.runs_out.as_ref().and_then(phrase::runs_out),
            notes: notes(finding, view),
            cohorts: cohorts.iter().map(|bar| (bar.objects, stage(bar.stage))).collect(),
            counts: phrase::counts(finding),
            excluded: phrase::excluded(finding),
            would_change: would_change(finding),
            ruling: phrase::ruling(finding),
            stack: names.stack(&finding.lead().subject.stack, view, sources),
            source: snippet(finding, sources),
        }
    }
}

/// The lines around the function to blame.
fn around(finding: &Finding, view: &View) -> Vec<String> {
    let placed = |word: &str, name: &str, place: Option<String>| match place {
        Some(place) => format!("{word} {name}  {place}"),
        None => format!("{word} {name}"),
    };
    let via = finding.via().map(|frame| placed("via", frame.plain(), view.place(frame)));
    let spawned_by = finding.lead().subject.spawned_by.as_ref();
    let spawned_by = spawned_by.filter(|_| phrase::is_without_caller(finding));
    let spawned_by = spawned_by.map(|user| {
        let word = "on a thread or task of its own, spawned by";
        placed(word, user.plain(), view.place(user))
    });
    let callers = phrase::callers(finding);
    let callers = callers.iter().map(|frame| placed("<-", frame.plain(), view.place(frame)));
    let tag = finding.lead().subject.tag.as_ref().map(|tag| format!("tagged {tag}"));
    via.into_iter().chain(spawned_by).chain(callers).chain(tag).collect()
}

fn notes(finding: &Finding, view: &View) -> Vec<String> {
    let by_itself = finding.runs_out.as_ref().and_then(phrase::runs_out);
    let notes = [
        phrase::change(finding),
        by_itself.map(|when| format!("by itself, {when}")),
        phrase::may_be_harmless(finding),
        phrase::container(finding, view),
        phrase::counted_per(finding),
        phrase::needs(finding),
    ];
    notes.into_iter().flatten().collect()
}

fn would_change(finding: &Finding) -> Option<String> {
    let conditions = phrase::evidence_site(finding).verdict.evidence.would_change.iter();
    let sentences: Vec<String> = conditions.filter_map(sentence::condition).collect();
    (!sentences.is_empty()).then(|| format!("would look different if: {}", sentences.join("; ")))
}

/// Since when blocks stay: the first of those that are alive at the end, but for a handful.
fn since(site: &SiteView, run: &RunView) -> Option<String> {
    let all: u64 = site.survivors.iter().map(|born| born.live.objects).sum();
    let mut before = 0;
    let first = site.survivors.iter().find(|born| {
        before += born.live.objects;
        before as f64 > BEFORE_IT_BEGAN * all as f64
    })?;
    Some(match first.column.checked_sub(1).and_then(|before| run.columns.get(before)) {
        None => "the start of the recording".to_owned(),
        Some(before) => {
            let after = &run.columns.get(first.column)?;
            let (from, to) = (duration(before.elapsed_ns), duration(after.elapsed_ns));
            format!("between {from} and {to} into the run (snapshot {})", after.seq)
        }
    })
}

fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::WarmUp => "warm-up",
        Stage::Mature => "mature",
        Stage::Young => "young",
    }
}

fn snippet<'a>(finding: &Finding, sources: &'a Sources) -> Option<&'a Snippet> {
    let blamed = &finding.blamed;
    sources.snippets.get(&(blamed.file.clone()?, blamed.line?))
}
