//! Runs in, one report out: what leaks, what the policy says, and how the command should exit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytesize::ByteSize;
use heaptide_format::{Dropped, HeapTotals, Mode};
use jiff::SignedDuration;
use serde::Serialize;

use crate::axis::Axis;
use crate::baseline::{Baseline, BaselineMatch};
use crate::calltree::{self, CallTree};
use crate::compare::{Before, Comparison};
use crate::finding::{self, Finding, Gate, Grown, Projection, Subject};
use crate::policy::{Date, Inconclusive, Policy, PolicyUse};
use crate::series::SiteSeries;
use crate::timeline::Timeline;
use crate::verdict::{self, Class, Rate, Rule, Verdict};

/// One loaded run: sites with equal identities are already merged, all series closed.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// Its snapshots.
    pub timeline: &'a Timeline,
    /// Its axis, by the general lifetime.
    pub axis: &'a Axis,
    /// Its sites.
    pub sites: &'a [Site],
}

/// One site of a run.
#[derive(Clone, Debug)]
pub struct Site {
    /// Which site.
    pub subject: Subject,
    /// The axis its series was summed up on: the run's, or one with a lifetime of the site's own.
    pub axis: Arc<Axis>,
    /// What it did.
    pub series: SiteSeries,
}

/// How the command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// No growth over budget.
    Clean,
    /// Growth over budget.
    Growth,
    /// The policy or the baseline does not hold.
    Error,
    /// Too early to say.
    Inconclusive,
}

impl Outcome {
    /// The exit code of every command.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Growth => 1,
            Self::Error => 2,
            Self::Inconclusive => 3,
        }
    }
}

/// What is known of a run, and what was found in it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunReport {
    /// Path of the executable.
    pub exe: String,
    /// Process id.
    pub pid: u32,
    /// Build id, if any.
    pub build_id: Option<String>,
    /// Exact or sampled.
    pub mode: Mode,
    /// Time from the start to the last snapshot.
    pub elapsed_ns: u64,
    /// Snapshots in the recording.
    pub snapshots: usize,
    /// Slots they were joined into: what the verdict counts.
    pub slots: usize,
    /// Work done, by counter.
    pub work: BTreeMap<String, u64>,
    /// The heap at the last judged snapshot.
    pub heap: HeapTotals,
    /// Resident set size then.
    pub rss_bytes: u64,
    /// The memory limit, from the policy or of the cgroup.
    pub memory_limit_bytes: Option<u64>,
    /// What is missing.
    pub dropped: Dropped,
    /// Sites judged.
    pub sites: usize,
    /// How many sites are of each class.
    pub classes: BTreeMap<Class, usize>,
    /// When all that leaks fills the memory together.
    pub runs_out: Option<Projection>,
    /// The smallest subtree of calls that explains most of what leaks; of what is suspect, where
    /// nothing leaks for sure.
    pub grows_under: Option<CallTree>,
    /// Leaks and suspects, worst first.
    pub findings: Vec<Finding>,
    /// Sites that grow or hold on to something for a healthy reason, largest first.
    pub healthy: Vec<HealthySite>,
    /// Why the run as a whole is too short to judge: one sentence each.
    pub too_short: Vec<String>,
    /// The class of every site, by its id.
    #[serde(skip)]
    pub class_of_site: BTreeMap<String, Class>,
    /// Growth that the build before had too, by path; it is no finding.
    #[serde(skip)]
    pub as_before: Vec<(String, Rate)>,
}

impl RunReport {
    /// Units of work done per hour, by counter.
    pub fn pace(&self) -> BTreeMap<String, f64> {
        let hours = self.elapsed_ns as f64 / 3.6e12;
        let pace = |(name, done): (&String, &u64)| (name.clone(), *done as f64 / hours);
        let mut pace: BTreeMap<String, f64> = self.work.iter().map(pace).collect();
        pace.insert(verdict::SECONDS.to_owned(), 3600.0);
        pace
    }
}

/// A site that was looked at and found healthy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HealthySite {
    /// Which site.
    pub subject: Subject,
    /// Its class: never leak or suspect.
    pub class: Class,
    /// Live blocks at the end.
    pub live_objects: u64,
    /// Live bytes at the end.
    pub live_bytes: u64,
}

/// Everything there is to say.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The runs, in the order given.
    pub runs: Vec<RunReport>,
    /// How the allow-list was used.
    pub policy: PolicyUse,
    /// How the baseline matched, if there was one.
    pub baseline: Option<BaselineMatch>,
    /// How the runs compare with the build before, if there is one.
    pub comparison: Option<Comparison>,
    /// What a reader must know to trust the rest: one sentence each.
    pub warnings: Vec<String>,
    /// Why the outcome is an error: one sentence each.
    pub errors: Vec<String>,
    /// What could not be concluded: one sentence each.
    pub undecided: Vec<String>,
    /// How the command ends.
    pub outcome: Outcome,
}

impl Report {
    /// All findings of all runs: run by run, worst first.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.runs.iter().flat_map(|run| &run.findings)
    }
}

/// How many healthy sites a report names.
const HEALTHY_SITES: usize = 20;

/// Fewer mature slots than this show nothing,
const LEAST_MATURE_SLOTS: usize = 6;
/// where blocks born before this share of the run
const OLD_FOR_THE_RUN: f64 = 0.7;
/// would count if there are so many of them.
const LEAST_HELD: u64 = 4;
/// A sample of fewer blocks than this would show no leak, were all of them leaked.
const LEAST_SAMPLES: u64 = 32;
/// A shorter sampling period saves nothing over recording every block.
const LEAST_PERIOD_BYTES: u64 = 256;
/// A run of so many lifetimes shows what outlives them.
const LIFETIMES_PER_RUN: i32 = 2;

/// What runs are judged by.
#[derive(Clone, Copy, Debug)]
pub struct Criteria<'a> {
    /// Budgets, exceptions, and the constants of the rule.
    pub policy: &'a Policy,
    /// Growth that was accepted before.
    pub baseline: Option<&'a Baseline>,
    /// The build before: only what is new or worse is found.
    pub before: Option<&'a Before>,
    /// Decides which exceptions have expired.
    pub today: Date,
}

/// Judges runs.
pub fn judge(runs: &[Run<'_>], criteria: &Criteria<'_>) -> Report {
    let Criteria { policy, baseline, before, today } = *criteria;
    let mut warnings: Vec<String> = runs.iter().flat_map(|run| doubts(run, policy)).collect();
    let mut judged: Vec<RunReport> =
        runs.iter().map(|run| judge_run(run, policy, before)).collect();
    let mut undecided: Vec<String> =
        judged.iter().flat_map(|run| &run.too_short).cloned().collect();
    let policy_use = policy.rule_on(&mut judged, runs, today);
    let baseline = baseline.map(|baseline| {
        let matched = baseline.rule_on(&mut judged, runs);
        warnings.extend(matched.warnings(baseline));
        matched
    });
    let comparison = before.map(|before| before.comparison(&judged, runs));
    if let Some(before) = before {
        undecided.extend(before.rule_on(&mut judged));
    }
    undecided.extend(undecided_findings(&judged));
    let mut errors = policy_use.errors.clone();
    warnings.extend(policy_use.warnings.iter().cloned());
    errors.extend(baseline.iter().filter_map(BaselineMatch::error));
    errors.extend(before.zip(comparison.as_ref()).and_then(|(before, c)| before.error(c)));
    if runs.is_empty() {
        undecided.push("there is no run to judge".into());
    }
    let outcome = outcome(&judged, &errors, &undecided, policy);
    Report {
        runs: judged,
        policy: policy_use,
        baseline,
        comparison,
        warnings,
        errors,
        undecided,
        outcome,
    }
}

fn outcome(
    runs: &[RunReport],
    errors: &[String],
    undecided: &[String],
    policy: &Policy,
) -> Outcome {
    let fails = |finding: &Finding| finding.ruling.gate == Gate::Fail;
    if !errors.is_empty() {
        Outcome::Error
    } else if runs.iter().flat_map(|run| &run.findings).any(fails) {
        Outcome::Growth
    } else if !undecided.is_empty() && policy.inconclusive == Inconclusive::Fail {
        Outcome::Inconclusive
    } else {
        Outcome::Clean
    }
}

fn judge_run(run: &Run<'_>, policy: &Policy, before: Option<&Before>) -> RunReport {
    let rule = policy.rule();
    let sites = run.sites.iter().map(|site| (&*site.axis, &site.series));
    let verdicts = verdict::judge_sites(run.axis, &rule, sites);
    let mut classes: BTreeMap<Class, usize> = Class::ALL.map(|class| (class, 0)).into();
    for verdict in &verdicts {
        *classes.entry(verdict.class).or_default() += 1;
    }
    let (found, as_before) = grown(run, &verdicts, before);
    let header = &run.timeline.header;
    let points = &run.timeline.points;
    let judged = points.iter().enumerate().rfind(|(k, _)| run.axis.slot_of_point(*k).is_some());
    let last = judged.map(|(_, point)| point.clone()).unwrap_or_default();
    let limit_bytes = policy.memory_limit_bytes.or(header.memory_limit_bytes);
    // What the cgroup uses is to be held against the cgroup's own limit only.
    let of_cgroup = last.cgroup_bytes.filter(|_| policy.memory_limit_bytes.is_none());
    let used_bytes = of_cgroup.unwrap_or(last.rss_bytes).max(last.heap.live_bytes);
    let projection = |bytes_per_hour: f64| project(limit_bytes, used_bytes, bytes_per_hour);
    let mut findings = finding::group(run.sites, &verdicts, &found);
    for finding in &mut findings {
        finding.runs_out = projection(finding.rate.bytes_per_hour());
    }
    let leaks = findings.iter().filter(|finding| finding.class == Class::Leak);
    let runs_out = projection(leaks.map(|leak| leak.rate.bytes_per_hour()).sum());
    RunReport {
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
        memory_limit_bytes: limit_bytes,
        dropped: points.last().map(|point| point.dropped).unwrap_or_default(),
        sites: run.sites.len(),
        classes,
        runs_out,
        grows_under: grows_under(&findings),
        findings,
        healthy: healthy(run, &verdicts),
        too_short: too_short(run, policy)
            .into_iter()
            .chain(too_thin(header.mode, &last.heap))
            .chain(too_young(run, policy))
            .collect(),
        class_of_site: classes_by_id(run, &verdicts),
        as_before,
    }
}

/// Sites that grow and become findings, and growth that the build before had too.
fn grown(
    run: &Run<'_>,
    verdicts: &[Verdict],
    before: Option<&Before>,
) -> (Grown, Vec<(String, Rate)>) {
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

fn classes_by_id(run: &Run<'_>, verdicts: &[Verdict]) -> BTreeMap<String, Class> {
    let class = |(site, verdict): (&Site, &Verdict)| (site.subject.id.clone(), verdict.class);
    run.sites.iter().zip(verdicts).map(class).collect()
}

fn grows_under(findings: &[Finding]) -> Option<CallTree> {
    let worst = findings.first()?.class;
    let of_class = findings.iter().flat_map(|finding| &finding.sites);
    calltree::attribute(of_class.filter(|site| site.verdict.class == worst))
}

fn project(limit_bytes: Option<u64>, used_bytes: u64, bytes_per_hour: f64) -> Option<Projection> {
    let limit_bytes = limit_bytes?;
    let left = limit_bytes.saturating_sub(used_bytes) as f64;
    let seconds = left / bytes_per_hour * 3600.0;
    seconds.is_finite().then_some(Projection { limit_bytes, used_bytes, seconds })
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

fn too_short(run: &Run<'_>, policy: &Policy) -> Option<String> {
    let Rule { least_slots, .. } = policy.rule();
    let (slots, snapshots) = (run.axis.len(), run.timeline.points.len());
    (slots < least_slots).then(|| {
        let joined = match snapshots {
            _ if snapshots == slots => String::new(),
            _ => format!(" (of {snapshots}, joined where little work or time had passed)"),
        };
        format!("{slots} snapshots{joined} are too few to judge; it takes {least_slots}")
    })
}

/// A sampled recording of so small a heap that no leak could have been seen.
fn too_thin(mode: Mode, heap: &HeapTotals) -> Option<String> {
    let Mode::Sampled { period_bytes } = mode else { return None };
    let (live, period) = (ByteSize::b(heap.live_bytes), ByteSize::b(period_bytes));
    let advice = match heap.live_bytes / LEAST_SAMPLES / 2 {
        ..LEAST_PERIOD_BYTES => "record exactly".to_owned(),
        enough => format!("sample each {} or less, or record exactly", ByteSize::b(enough)),
    };
    (heap.live_bytes / period_bytes.max(1) < LEAST_SAMPLES).then(|| {
        format!("one sample for each {period} is too few for a live heap of {live}: {advice}")
    })
}

/// What would be old enough to count in this run, were it not for a lifetime that the run is too
/// short for.
fn too_young(run: &Run<'_>, policy: &Policy) -> Vec<String> {
    let mut sites_by_lifetime: BTreeMap<u64, u64> = BTreeMap::new();
    for site in run.sites.iter().filter(|site| site.axis.mature().len() < LEAST_MATURE_SLOTS) {
        let slots = site.axis.warm_up()..site.axis.between(0.0, OLD_FOR_THE_RUN).end;
        let held = site.series.cells().iter().filter(|cell| slots.contains(&cell.slot));
        let held: u64 = held.map(|cell| cell.objects).fold(0, u64::saturating_add);
        let lifetime_ns = policy.lifetime_of(&site.subject).or(policy.max_lifetime_ns);
        if let (Some(ns), true) = (lifetime_ns, held >= LEAST_HELD) {
            *sites_by_lifetime.entry(ns).or_default() += 1;
        }
    }
    let say = |(ns, n): (u64, u64)| {
        let lifetime = SignedDuration::from_nanos(i64::try_from(ns).unwrap_or(i64::MAX));
        format!(
            "the run is too short for a lifetime of {lifetime:#}; {:#} would tell \
             (call sites that hold on to blocks, but not for so long yet: {n})",
            lifetime.saturating_mul(LIFETIMES_PER_RUN)
        )
    };
    sites_by_lifetime.into_iter().map(say).collect()
}

fn undecided_findings(runs: &[RunReport]) -> Vec<String> {
    let open = |finding: &&Finding| finding.ruling.gate == Gate::Undecided;
    let say = |finding: &Finding| {
        let name = &finding.blamed.function;
        match finding.lead().verdict.needs_snapshots {
            Some(more) => format!("{name} may leak: about {more} more snapshots decide"),
            None => format!("{name} may leak"),
        }
    };
    runs.iter().flat_map(|run| &run.findings).filter(open).map(say).collect()
}

/// What is wrong with the recording itself.
fn doubts(run: &Run<'_>, policy: &Policy) -> Vec<String> {
    let points = &run.timeline.points;
    let mut doubts = Vec::new();
    let dropped = points.last().map(|point| point.dropped).unwrap_or_default();
    let holes: u64 =
        points.windows(2).map(|pair| pair[1].seq.saturating_sub(pair[0].seq + 1)).sum();
    let mut doubt = |count: u64, text: &str| {
        if count > 0 {
            doubts.push(format!("{count} {text}"));
        }
    };
    doubt(holes, "snapshots are missing; their neighbours were judged together");
    doubt(dropped.blocks, "blocks were not counted: the shim's tables were full");
    doubt(dropped.samples, "samples were not kept: the shim had no memory");
    doubt(dropped.sites, "blocks have no site of their own: the site table was full");
    doubt(dropped.overruns, "blocks were overrun by the program: look for a buffer overflow");
    let teardown = run.axis.teardown();
    if teardown > 0 {
        doubts.push(format!(
            "the program was already dropping all it held before it exited; \
             snapshots left out at the end: {teardown}"
        ));
    }
    if let Some(name) = &policy.work {
        let known = points.last().is_some_and(|point| point.work.contains_key(name));
        if !known {
            let counted = points.iter().flat_map(|point| point.work.keys().map(|name| &**name));
            let counted: BTreeSet<&str> = counted.collect();
            let others = match counted.is_empty() {
                true => String::new(),
                false => format!(", only as {}", Vec::from_iter(counted).join(", ")),
            };
            doubts.push(format!(
                "no work was counted as `{name}`{others}; growth is judged per second"
            ));
        }
    }
    doubts
}
