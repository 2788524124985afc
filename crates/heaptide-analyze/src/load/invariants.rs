//! What is true of every recording that the shim wrote: `docs/FORMAT.md`, "Invariants", has the list.
//!
//! A number that cannot be true makes each verdict that rests on it worthless, so it is named with its
//! place and its member. Only what the shim guarantees is asked for: it reads frees before allocs, so that
//! no difference is negative, and one collection gives the heap, the tags and the rows alike, so that
//! sums hold exactly, in a sampled recording too.

use heaptide_format::{Epoch, HeapTotals, SiteRow};

use super::scalars::Scalars;
use crate::timeline::Point;

/// A member, and what about it cannot be true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// The member, as in `heap.live_objects`.
    pub field: String,
    /// What it says, and what contradicts that.
    pub says: String,
}

impl Contradiction {
    fn new(field: impl Into<String>, says: String) -> Self {
        Self { field: field.into(), says }
    }
}

/// What a snapshot contradicts itself in.
pub(crate) fn of_snapshot(snapshot: &Scalars) -> Option<Contradiction> {
    // A trailer that was overwritten may give a block's end to another site.
    let heap = of_counts(&snapshot.heap).filter(|_| snapshot.dropped.overruns == 0);
    let in_heap = |it: Contradiction| Contradiction { field: format!("heap.{}", it.field), ..it };
    heap.map(in_heap).or_else(|| {
        let tagged = snapshot.tags.iter().map(|tag| u128::from(tag.live_objects)).sum::<u128>();
        let live = u128::from(snapshot.heap.live_objects);
        (tagged > live).then(|| {
            let says = format!("{tagged} blocks live under tags, of {live} that live at all");
            Contradiction::new("tags.live_objects", says)
        })
    })
}

/// What a snapshot contradicts the one before it in: nothing that is counted goes back.
pub(crate) fn between(before: &Point, after: &Point) -> Option<Contradiction> {
    let heap = |of: fn(&HeapTotals) -> u64| (of(&before.heap), of(&after.heap));
    let dropped = |of: fn(&Point) -> u64| (of(before), of(after));
    let counted = [
        ("mono_ns", (before.elapsed_ns, after.elapsed_ns)),
        ("epoch", (before.epoch.0.into(), after.epoch.0.into())),
        ("heap.allocs", heap(|it| it.allocs)),
        ("heap.frees", heap(|it| it.frees)),
        ("heap.alloc_bytes", heap(|it| it.alloc_bytes)),
        ("heap.freed_bytes", heap(|it| it.freed_bytes)),
        ("heap.reallocs", heap(|it| it.reallocs)),
        ("dropped.blocks", dropped(|it| it.dropped.blocks)),
        ("dropped.sites", dropped(|it| it.dropped.sites)),
        ("dropped.samples", dropped(|it| it.dropped.samples)),
        ("dropped.overruns", dropped(|it| it.dropped.overruns)),
    ];
    let counted = counted.into_iter().map(|(field, pair)| (field.to_owned(), pair));
    let work = after.work.iter().filter_map(|(name, now)| {
        before.work.get(name).map(|was| (format!("work.{name}"), (*was, *now)))
    });
    counted.chain(work).find_map(|(field, (was, now))| goes_back(field, was, now))
}

/// What the row of a site contradicts itself in. Cohorts that were skimmed, or of a program that wrote
/// over its blocks' trailers, say nothing.
pub(crate) fn of_row(row: &SiteRow, epoch: Epoch, has_cohorts: bool) -> Option<Contradiction> {
    of_counts(&row.counts())
        .or_else(|| of_range("objects_range", row.objects_range, row.live_objects))
        .or_else(|| of_range("bytes_range", row.bytes_range, row.live_bytes))
        .or_else(|| has_cohorts.then(|| of_cohorts(row, epoch)).flatten())
        .map(|it| Contradiction { field: format!("sites[{}].{}", row.site.0, it.field), ..it })
}

/// What the counts of a site contradict its earlier ones in.
pub(crate) fn of_site(site: u32, was: &HeapTotals, now: &HeapTotals) -> Option<Contradiction> {
    let counted = [
        ("allocs", was.allocs, now.allocs),
        ("frees", was.frees, now.frees),
        ("alloc_bytes", was.alloc_bytes, now.alloc_bytes),
        ("freed_bytes", was.freed_bytes, now.freed_bytes),
    ];
    // It is asked of every row, and hardly ever answers: so the name is made when it does.
    let wrong = counted.into_iter().find(|(_, was, now)| now < was);
    wrong.and_then(|(field, was, now)| goes_back(format!("sites[{site}].{field}"), was, now))
}

/// What the heap contradicts the sum of all its sites in.
pub(crate) fn of_sum(heap: &HeapTotals, sites: &HeapTotals) -> Option<Contradiction> {
    let sums = [
        ("heap.allocs", heap.allocs, sites.allocs),
        ("heap.frees", heap.frees, sites.frees),
        ("heap.live_objects", heap.live_objects, sites.live_objects),
        ("heap.live_bytes", heap.live_bytes, sites.live_bytes),
    ];
    let wrong = sums.into_iter().find(|(_, whole, sum)| whole != sum);
    wrong.map(|(field, whole, sum)| {
        Contradiction::new(field, format!("it is {whole}, and the sum over all sites is {sum}"))
    })
}

fn goes_back(field: String, was: u64, now: u64) -> Option<Contradiction> {
    (now < was).then(|| Contradiction::new(field, format!("it was {was}, and is {now} later")))
}

fn of_counts(counts: &HeapTotals) -> Option<Contradiction> {
    let live = [
        ("live_objects", counts.live_objects, "allocs", counts.allocs, "frees", counts.frees),
        (
            "live_bytes",
            counts.live_bytes,
            "alloc_bytes",
            counts.alloc_bytes,
            "freed_bytes",
            counts.freed_bytes,
        ),
    ];
    let wrong =
        live.into_iter().find(|(_, live, _, made, _, ended)| *live != made.saturating_sub(*ended));
    wrong.map(|(field, live, more, made, less, ended)| {
        Contradiction::new(field, format!("it is {live}, with {more} {made} and {less} {ended}"))
    })
}

fn of_range(field: &str, range: Option<(u64, u64)>, live: u64) -> Option<Contradiction> {
    let (least, most) = range?;
    (live < least || live > most)
        .then(|| Contradiction::new(field, format!("{live} are live, not {least} to {most}")))
}

fn of_cohorts(row: &SiteRow, epoch: Epoch) -> Option<Contradiction> {
    if row.cohorts.is_empty() {
        return None;
    }
    let wrong = |says| Some(Contradiction::new("cohorts", says));
    if let Some(pair) = row.cohorts.windows(2).find(|pair| pair[0].0 >= pair[1].0) {
        return wrong(format!("epoch {} stands behind {}", pair[1].0.0, pair[0].0.0));
    }
    if let Some(late) = row.cohorts.last().filter(|last| last.0 > epoch) {
        return wrong(format!("blocks of epoch {} live in epoch {}", late.0.0, epoch.0));
    }
    let objects: u128 = row.cohorts.iter().map(|cohort| u128::from(cohort.1)).sum();
    let bytes: u128 = row.cohorts.iter().map(|cohort| u128::from(cohort.2)).sum();
    let (live_objects, live_bytes) = (row.live_objects, row.live_bytes);
    if (objects, bytes) != (live_objects.into(), live_bytes.into()) {
        return wrong(format!(
            "their sum is {objects} blocks of {bytes} bytes, and {live_objects} of {live_bytes} live"
        ));
    }
    None
}
