//! One run: its verdicts, its findings, and what is worth saying of the rest.

use std::cell::LazyCell;
use std::collections::BTreeMap;

use super::adequacy;
use super::memory::Memory;
use crate::calltree::{self, CallTree};
use crate::compare::Before;
use crate::finding::{self, Finding, GrowingSites, Projection};
use crate::policy::Policy;
use crate::process;
use crate::relations::Relations;
use crate::run_report::{HealthySite, RunReport};
use crate::site::{Run, Site};
use crate::verdict::{self, Class, Rate, Verdict};

/// How many healthy sites a report names, the largest first: enough to see that the program was
/// recorded at all, and what holds its memory.
const HEALTHY_SITES: usize = 20;

/// The verdicts on the sites of a run, in their order.
pub(super) fn classify(run: &Run<'_>, policy: &Policy) -> Vec<Verdict> {
    let sites = run.sites.iter().map(|site| (&*site.axis, &site.series));
    let relations = LazyCell::new(|| Relations::among(run.sites.iter().map(|site| &site.subject)));
    verdict::classify_sites(run.axis, &policy.rule(), sites, |site| relations.of(site))
}

pub(super) fn report_run(
    run: &Run<'_>,
    verdicts: &[Verdict],
    policy: &Policy,
    before: Option<&Before>,
) -> RunReport {
    let mut classes: BTreeMap<Class, usize> = Class::ALL.map(|class| (class, 0)).into();
    for verdict in verdicts {
        *classes.entry(verdict.class).or_default() += 1;
    }
    let (found, as_before) = grown(run, verdicts, before);
    let header = &run.timeline.header;
    let points = &run.timeline.points;
    let judged = points.iter().enumerate().rfind(|(k, _)| run.axis.slot_of_point(*k).is_some());
    let last = judged.map(|(_, point)| point.clone()).unwrap_or_default();
    let memory = Memory::at(&last, header, policy);
    let mut findings = finding::group(run.sites, verdicts, &found);
    for finding in &mut findings {
        finding.runs_out = memory.runs_out(finding.rate.bytes_per_hour());
    }
    let (leaking, leaking_sites) = leaking(&findings);
    let mut report = RunReport {
        exe: header.exe.clone(),
        pid: header.pid,
        build_id: header.build_id.clone(),
        mode: header.mode,
        elapsed_ns: points.last().map_or(0, |point| point.elapsed_ns),
        snapshots: points.len(),
        slots: run.axis.len(),
        work: last.work,
        heap: last.heap,
        rss_bytes: last.rss_bytes,
        process: process::judge(run, &policy.rule()),
        memory_limit_bytes: memory.limit_bytes(),
        dropped: points.last().map(|point| point.dropped).unwrap_or_default(),
        sites: run.sites.len(),
        classes,
        leaking,
        leaking_sites,
        runs_out: None,
        grows_under: grows_under(&findings),
        findings,
        healthy: healthy(run, verdicts),
        too_short: adequacy::of_length(run, &last.heap, policy),
        class_of_site: classes_by_id(run, verdicts),
        as_before,
    };
    report.runs_out = runs_out(&report, &memory);
    report
}

/// When memory runs out at the pace of all that surely grows. Where resident memory grows faster than
/// that, there is more than is known of, and its own pace counts.
fn runs_out(run: &RunReport, memory: &Memory) -> Option<Projection> {
    let explained = run.explained_bytes_per_hour();
    let more = run.process.unexplained_bytes_per_hour(explained).unwrap_or(0.0);
    (explained > 0.0).then(|| memory.runs_out(explained + more)).flatten()
}

/// Sites that grow and become findings, and growth that the build before had too.
fn grown(
    run: &Run<'_>,
    verdicts: &[Verdict],
    before: Option<&Before>,
) -> (GrowingSites, Vec<(String, Rate)>) {
    let growing = (0..verdicts.len()).filter(|&site| verdicts[site].class <= Class::Suspect);
    let Some(before) = before else {
        return (growing.map(|site| (site, None)).collect(), Vec::new());
    };
    let changes = before.changes(run, verdicts);
    let path = |site: usize| run.sites[site].subject.path.clone();
    let known = growing.filter(|site| !changes.contains_key(site));
    let known = known.map(|site| (path(site), verdicts[site].rate.clone())).collect();
    (changes.into_iter().map(|(site, change)| (site, Some(change))).collect(), known)
}

/// How fast the sites that leak grow together, and how many they are.
fn leaking(findings: &[Finding]) -> (Option<Rate>, usize) {
    let sites = || findings.iter().flat_map(|finding| &finding.sites);
    let leaks = || sites().map(|site| &site.verdict).filter(|it| it.class == Class::Leak);
    (Rate::total(leaks().map(|verdict| &verdict.rate)), leaks().count())
}

fn classes_by_id(run: &Run<'_>, verdicts: &[Verdict]) -> BTreeMap<String, Class> {
    let class = |(site, verdict): (&Site, &Verdict)| (site.subject.id.clone(), verdict.class);
    run.sites.iter().zip(verdicts).map(class).collect()
}

fn grows_under(findings: &[Finding]) -> Option<CallTree> {
    let worst = findings.first()?.class;
    let of_class = findings.iter().flat_map(|finding| &finding.sites);
    calltree::attribute(of_class.filter(|site| site.verdict.class == worst))
}

fn healthy(run: &Run<'_>, verdicts: &[Verdict]) -> Vec<HealthySite> {
    let named = |verdict: &Verdict| verdict.class > Class::Suspect && verdict.class < Class::Stable;
    let mut sites: Vec<HealthySite> = run
        .sites
        .iter()
        .zip(verdicts)
        .filter(|(_, verdict)| named(verdict))
        .map(|(site, verdict)| HealthySite {
            subject: site.subject.clone(),
            class: verdict.class,
            live_objects: verdict.evidence.live_objects,
            live_bytes: verdict.evidence.live_bytes,
        })
        .collect();
    sites.sort_by(|a, b| {
        b.live_bytes.cmp(&a.live_bytes).then_with(|| a.subject.path.cmp(&b.subject.path))
    });
    sites.truncate(HEALTHY_SITES);
    sites
}
