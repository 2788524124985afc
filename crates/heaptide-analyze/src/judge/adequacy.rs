//! What a recording cannot show: because it is too short, too thin, or not whole.

use std::collections::{BTreeMap, BTreeSet};

use bytesize::ByteSize;
use heaptide_format::{HeapTotals, Mode};
use jiff::SignedDuration;

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
/// A run of so many lifetimes shows what outlives them: one to fill what may be held, and one in
/// which what is held should be replaced.
const LIFETIMES_PER_RUN: i32 = 2;

/// Why a run as a whole is too short to judge: one sentence each.
pub(super) fn of_length(run: &Run<'_>, heap: &HeapTotals, policy: &Policy) -> Vec<String> {
    let thin = too_thin(run.timeline.header.mode, heap);
    too_short(run, policy).into_iter().chain(thin).chain(too_young(run, policy)).collect()
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

fn too_short(run: &Run<'_>, policy: &Policy) -> Option<String> {
    let Rule { least_slots, .. } = policy.rule();
    let (slots, snapshots) = (run.axis.len(), run.timeline.points.len());
    (slots < least_slots).then(|| {
        let joined = match snapshots {
            _ if snapshots == slots => String::new(),
            _ => format!(" (of {snapshots}, joined where little work or time had passed)"),
        };
        let (noun, verb) = if slots == 1 { ("snapshot", "is") } else { ("snapshots", "are") };
        format!("{slots} {noun}{joined} {verb} too few to judge; it takes {least_slots}")
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
