//! What a recording cannot show: because it is too short, too thin, or not whole.

use std::collections::{BTreeMap, BTreeSet};

use bytesize::ByteSize;
use heaptide_format::{Children, HeapTotals, Mode};
use jiff::SignedDuration;

use crate::axis::WarmUp;
use crate::policy::Policy;
use crate::site::Run;
use crate::verdict::Rule;

/// Fewer mature slots than this show nothing: survivors must come from four slots and three quarters
/// (`docs/VERDICT.md`, "spread"), and a step up in each of six is worth an E of 30 of the 100 it takes.
const LEAST_MATURE_SLOTS: usize = 6;
/// Blocks born before this share of the run would be mature but for a lifetime that the user set.
const OLD_FOR_THE_RUN: f64 = 0.7;
/// A site that holds on to fewer old blocks than this has no growth that the lifetime hides: fewer
/// than four survivors are none (`docs/VERDICT.md`, "survivors").
const LEAST_HELD: u64 = 4;
/// A sample of fewer blocks than this would show no leak, were all of them leaked: half of them were
/// born in the warm-up or are too young, and it takes 16 (`docs/VERDICT.md`, "sampling").
const LEAST_SAMPLES: u64 = 32;
/// A sampling period below this is not advised: most blocks would be sampled anyway, so that it saves
/// nothing over recording every block.
const LEAST_PERIOD_BYTES: u64 = 256;
/// A run of so many warm-ups has something to judge: what is born after [`OLD_FOR_THE_RUN`] of it is
/// too young to count.
const WARM_UPS_PER_RUN: i32 = 2;
/// A run of so many lifetimes shows what outlives them: one to fill what may be held, and one in
/// which what is held should be replaced.
const LIFETIMES_PER_RUN: i32 = 2;

/// Why a run as a whole is too short to judge: one sentence each.
pub(super) fn of_length(run: &Run<'_>, heap: &HeapTotals, policy: &Policy) -> Vec<String> {
    let thin = too_thin(run.timeline.header.mode, heap);
    let short = too_short(run, policy).or_else(|| all_warm_up(run, policy));
    short.into_iter().chain(thin).chain(too_young(run, policy)).collect()
}

/// What is wrong with the recording itself.
pub(super) fn of_recording(run: &Run<'_>, policy: &Policy) -> Vec<String> {
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
    doubt(
        last_children(run).filter(|children| !children.followed).map_or(0, unrecorded),
        "forked children have no recording: what they held, or became, was not seen",
    );
    let teardown = run.axis.teardown();
    if teardown > 0 {
        doubts.push(format!(
            "shortly before the exit no more work was done and most of the heap was freed; \
             snapshots left out at the end: {teardown}"
        ));
    }
    if let Some(name) = policy.work.as_ref().filter(|name| !counts(run, name)) {
        let exe = &run.timeline.header.exe;
        doubts.push(format!("{exe} counted no work as `{name}`; its growth is judged per second"));
    }
    doubts
}

/// What is wrong with the counter that the policy judges by: no run has it.
pub(super) fn of_work(runs: &[Run<'_>], policy: &Policy) -> Option<WrongWork> {
    let name = policy.work.as_ref()?;
    if runs.is_empty() || runs.iter().any(|run| counts(run, name)) {
        return None;
    }
    let counted: BTreeSet<&str> = runs.iter().flat_map(|run| run.timeline.counters()).collect();
    Some(match counted.is_empty() {
        true => WrongWork::Nothing(format!(
            "no work was counted, and growth was to be judged by `{name}`: did the run do any?"
        )),
        false => WrongWork::Misspelt(format!(
            "no work is counted as `{name}`, only as {}: correct the name to judge by",
            Vec::from_iter(counted).join(", ")
        )),
    })
}

/// Why growth cannot be judged by the work that was asked for: one sentence.
#[derive(Debug)]
pub(super) enum WrongWork {
    /// No work was counted at all.
    Nothing(String),
    /// Other work was counted.
    Misspelt(String),
}

fn counts(run: &Run<'_>, work: &str) -> bool {
    run.timeline.counters().any(|name| name == work)
}

/// Why a run is not judged as a whole whose children were to be recorded: one sentence.
pub(super) fn of_children(run: &Run<'_>) -> Option<String> {
    let children = last_children(run)?;
    let n_unrecorded = unrecorded(children);
    (children.followed && n_unrecorded > 0).then(|| {
        format!(
            "{} (pid {}) forked children that have no recording, and what they held was not seen: \
             {n_unrecorded}; a child is recorded if its parent has no other thread when it forks",
            run.timeline.header.exe, run.timeline.header.pid
        )
    })
}

/// Why a run is not judged of which more was not counted than was: one sentence.
pub(super) fn of_uncounted(run: &Run<'_>) -> Option<String> {
    let last = run.timeline.points.last()?;
    let (uncounted, counted) = (last.dropped.blocks, last.heap.allocs);
    (uncounted > counted).then(|| {
        format!(
            "{} (pid {}) allocated {uncounted} blocks that were not counted, and only {counted} that \
             were: record it in sampled mode, which needs less memory",
            run.timeline.header.exe, run.timeline.header.pid
        )
    })
}

fn last_children(run: &Run<'_>) -> Option<Children> {
    run.timeline.points.last().and_then(|point| point.children)
}

/// Children that may have held memory for longer than a moment, and that no recording shows.
fn unrecorded(children: Children) -> u64 {
    children.forked.saturating_sub(children.recorded).saturating_sub(children.brief)
}

fn too_short(run: &Run<'_>, policy: &Policy) -> Option<String> {
    let Rule { least_slots, .. } = policy.rule();
    let (slots, snapshots) = (run.axis.len(), run.timeline.points.len());
    (slots < least_slots).then(|| {
        let joined = match snapshots {
            _ if snapshots == slots => String::new(),
            _ => format!(" (of {snapshots}, joined where little work or time had passed)"),
        };
        let (noun, verb) = if slots == 1 { ("snapshot", "is") } else { ("snapshots", "are") };
        let enough = longer(run, least_slots, slots).map(|it| format!(", at this pace {it}"));
        let enough = enough.unwrap_or_default();
        format!("{slots} {noun}{joined} {verb} too few to judge; it takes {least_slots}{enough}")
    })
}

/// How long the run would be with `wanted` of what it has `n` of; `None` if that cannot be told.
fn longer(run: &Run<'_>, wanted: usize, n: usize) -> Option<String> {
    let elapsed_ns = run.timeline.points.last()?.elapsed_ns;
    let seconds = elapsed_ns as f64 / 1e9 * wanted as f64 / n as f64;
    let is_known = seconds.is_finite() && seconds >= 1.0;
    is_known.then(|| format!("{:#}", SignedDuration::from_secs(seconds.ceil() as i64)))
}

/// A warm-up, set by the user, that leaves nothing to judge.
fn all_warm_up(run: &Run<'_>, policy: &Policy) -> Option<String> {
    let warm_up = run.axis.warm_up();
    let n_judged = run.axis.between(0.0, OLD_FOR_THE_RUN).end.saturating_sub(warm_up);
    if n_judged >= LEAST_MATURE_SLOTS {
        return None;
    }
    let advice = match policy.warm_up {
        WarmUp::Quarter => return None,
        WarmUp::Nanoseconds(ns) => {
            let ns = i64::try_from(ns).unwrap_or(i64::MAX);
            let enough = SignedDuration::from_nanos(ns).saturating_mul(WARM_UPS_PER_RUN);
            format!("a run of {enough:#}")
        }
        WarmUp::Snapshots(n) => {
            let n = f64::from(n);
            let enough = (n + LEAST_MATURE_SLOTS as f64) / OLD_FOR_THE_RUN;
            format!("{} snapshots", enough.ceil().max(n * f64::from(WARM_UPS_PER_RUN)))
        }
    };
    Some(format!(
        "the warm-up that the policy sets leaves too little of this run to judge; \
         it takes {advice}, or a shorter warm-up"
    ))
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
        let held = site.series.cohorts().iter().filter(|cohort| slots.contains(&cohort.slot));
        let held: u64 = held.map(|cohort| cohort.objects).fold(0, u64::saturating_add);
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
