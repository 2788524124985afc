//! A recording that is to be judged: is there enough in it, and all of it?

use heaptide_analyze::identity::WorkspaceCrates;
use heaptide_analyze::load::{Point, Recording};
use heaptide_analyze::symbols::{Resolve, Symbols};
use heaptide_analyze::verdict::Rule;
use heaptide_format::MAX_FRAMES;
use heaptide_report::bytes;

use super::diagnosis::Diagnosis;

/// Stacks that were cut spoil a verdict if more than one block in so many was allocated under one.
const ONE_CUT_IN: u64 = 100;
/// Fewer allocations than this between two snapshots are no load: a single request makes more.
const LEAST_ALLOCATIONS_PER_SNAPSHOT: u64 = 10;
/// Growth outside the recorded heap is told from this on: pages and arenas come in large pieces.
const LEAST_OUTSIDE_BYTES: u64 = 8 << 20;

pub(super) fn look_at(run: &Recording, names: &mut dyn Resolve) -> Diagnosis {
    let header = &run.timeline.header;
    let n_snapshots = run.timeline.points.len();
    let subject = format!("{} (pid {}), {n_snapshots} snapshots", header.exe, header.pid);
    let mut diagnosis = Diagnosis::of(subject);
    of_length(n_snapshots, &mut diagnosis);
    if let (Some(first), Some(last)) = (run.timeline.points.first(), run.timeline.points.last()) {
        of_load(first, last, n_snapshots as u64, &mut diagnosis);
        of_gaps(header.frames, last, &mut diagnosis);
        of_budget(header.budget_bytes, last, &mut diagnosis);
        of_children(last, &mut diagnosis);
    }
    of_memory_outside(&run.timeline.points, &mut diagnosis);
    if header.build_id.is_none() {
        diagnosis.spoil(
            "the executable has no build id, so names may be of another build: link with \
             -Wl,--build-id",
        );
    }
    let problems = Symbols::look_up(run, names, &WorkspaceCrates::new()).problems;
    problems.iter().for_each(|problem| diagnosis.spoil(problem.to_string()));
    diagnosis
}

fn of_length(n_snapshots: usize, diagnosis: &mut Diagnosis) {
    let Rule { least_slots, .. } = Rule::default();
    if n_snapshots < least_slots {
        diagnosis.spoil(format!(
            "{n_snapshots} snapshots are too few to judge, and it takes {least_slots}: record for \
             longer, or with a shorter interval"
        ));
    }
}

fn of_load(first: &Point, last: &Point, n_snapshots: u64, diagnosis: &mut Diagnosis) {
    let idle: Vec<&str> = last
        .work
        .iter()
        .filter(|(name, n)| first.work.get(*name) == Some(n))
        .map(|(name, _)| name.as_str())
        .collect();
    if last.work.is_empty() {
        diagnosis.spoil(
            "no work was counted, so growth can be judged by time only: call \
             `heaptide::work(\"requests\", 1)` where work is done",
        );
    } else if idle.len() == last.work.len() {
        diagnosis.spoil(format!(
            "no work was done between the first and the last snapshot ({}), and a leak that is not \
             exercised is not there: put load on it",
            idle.join(", ")
        ));
    }
    let allocations = last.heap.allocs.saturating_sub(first.heap.allocs);
    if allocations < LEAST_ALLOCATIONS_PER_SNAPSHOT * n_snapshots.saturating_sub(1) {
        diagnosis.spoil(format!(
            "hardly anything was allocated while it was recorded ({allocations} blocks), and a leak \
             that is not exercised is not there: put load on it"
        ));
    }
}

/// What is missing from the recording.
fn of_gaps(limit: Option<u32>, last: &Point, diagnosis: &mut Diagnosis) {
    let dropped = last.dropped;
    let mut tell = |count: u64, what: &str| {
        if count > 0 {
            diagnosis.spoil(format!("{count} {what}"));
        }
    };
    tell(dropped.blocks, "blocks were not counted: the shim's tables were full");
    tell(dropped.sites, "blocks have no call site of their own: the table of sites was full");
    tell(dropped.samples, "samples were not kept: the shim had no memory");
    tell(dropped.snapshots, "snapshots were dropped: the recording was full, or the disk");
    if let Some(kept) = last.frames_kept {
        tell(
            dropped.frames,
            &format!(
                "blocks have a stack of which not all frames were kept: there were more call stacks \
                 than the table of sites has room for, so new ones are told apart by {kept} frames"
            ),
        );
    } else if limit.is_none_or(|frames| frames as usize >= MAX_FRAMES)
        && dropped.frames > last.heap.allocs / ONE_CUT_IN
    {
        tell(
            dropped.frames,
            "blocks have a stack that was cut, so that their callers are not known: code without \
             unwind tables (`.eh_frame`) was on it, as in assembly or just-in-time code",
        );
    }
}

/// The budget of memory costs time and no count, so what was refused spoils nothing.
fn of_budget(budget_bytes: Option<u64>, last: &Point, diagnosis: &mut Diagnosis) {
    let refused = last.budget.unwrap_or_default().refused;
    if refused > 0 {
        diagnosis.note(format!(
            "{refused} times a thread was refused more memory, for stacks that it remembers and \
             counters of its own, which made recording slower: allow more than {} by \
             HEAPTIDE_MEMORY, if the process can spare it",
            bytes(budget_bytes.unwrap_or_default())
        ));
    }
}

fn of_children(last: &Point, diagnosis: &mut Diagnosis) {
    let Some(children) = last.children else { return };
    let seen = children.recorded.saturating_add(children.brief);
    let unseen = children.forked.saturating_sub(seen);
    if unseen > 0 {
        diagnosis.spoil(format!(
            "{unseen} forked children have no recording, and what they held was not seen: leave \
             HEAPTIDE_CHILDREN on, and fork before starting threads"
        ));
    }
}

/// Memory that grows where the shim does not look. What is there at the start is no growth, so the
/// first quarter of the run is left out, as the verdict does.
fn of_memory_outside(points: &[Point], diagnosis: &mut Diagnosis) {
    let (Some(early), Some(last)) = (points.get(points.len() / 4), points.last()) else { return };
    let outside = |point: &Point| {
        point.rss_bytes.saturating_sub(point.own_bytes).saturating_sub(point.heap.live_bytes)
    };
    let grown = outside(last).saturating_sub(outside(early));
    let recorded = last.heap.live_bytes.saturating_sub(early.heap.live_bytes);
    if grown >= LEAST_OUTSIDE_BYTES && grown > recorded {
        diagnosis.spoil(format!(
            "the process grew by {} outside the recorded heap, and by {} in it: C code, mapped \
             files, stacks of threads, or what the allocator keeps, and none of that has a call site",
            bytes(grown),
            bytes(recorded)
        ));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use heaptide_analyze::load::Timeline;
    use heaptide_analyze::symbols::RecordedOnly;
    use heaptide_format::{Budget, Children, Dropped, Header, HeapTotals};

    use super::*;

    fn point(k: u64) -> Point {
        Point {
            seq: k,
            work: BTreeMap::from([("requests".to_owned(), 10 * k)]),
            heap: HeapTotals { allocs: 1_000 * k, live_bytes: 1 << 20, ..HeapTotals::default() },
            rss_bytes: 32 << 20,
            own_bytes: 1 << 20,
            ..Point::default()
        }
    }

    /// What is said of a good run that is changed like this.
    fn check(change: impl Fn(&mut Timeline), says: &str) {
        let header = Header { build_id: Some("5e".into()), ..Header::default() };
        let mut run = Recording::default();
        run.timeline.header = header;
        run.timeline.points = (0..40).map(point).collect();
        change(&mut run.timeline);
        let diagnosis = look_at(&run, &mut RecordedOnly);
        let said = diagnosis.in_words();
        assert!(said.contains(says), "no {says:?} in {said}");
        let expected = usize::from(diagnosis.spoils());
        assert_eq!(said.matches("spoils a verdict: ").count(), expected, "{said}");
    }

    fn last(timeline: &mut Timeline) -> &mut Point {
        timeline.points.last_mut().expect("there are points")
    }

    #[test]
    fn what_spoils_a_verdict_is_said() {
        check(|_| {}, "nothing was found that spoils a verdict");
        check(|it| it.points.truncate(5), "5 snapshots are too few to judge, and it takes 20");
        check(|it| it.header.build_id = None, "no build id");
        check(
            |it| it.points.iter_mut().for_each(|point| point.work.clear()),
            "no work was counted",
        );
        check(|it| last(it).work = BTreeMap::from([("requests".into(), 0)]), "no work was done");
        check(|it| last(it).heap.allocs = 9, "hardly anything was allocated");
        let dropped = |dropped: Dropped| move |it: &mut Timeline| last(it).dropped = dropped;
        check(dropped(Dropped { blocks: 3, ..Dropped::default() }), "3 blocks were not counted");
        check(dropped(Dropped { sites: 4, ..Dropped::default() }), "the table of sites was full");
        check(dropped(Dropped { snapshots: 5, ..Dropped::default() }), "snapshots were dropped");
        check(dropped(Dropped { frames: 5_000, ..Dropped::default() }), "a stack that was cut");
        let cut = |it: &mut Timeline| last(it).dropped.frames = 5_000;
        check(
            |it| {
                cut(it);
                it.header.frames = Some(10);
            },
            "nothing was found",
        );
        check(
            |it| {
                cut(it);
                last(it).frames_kept = Some(16);
            },
            "new ones are told apart by 16 frames",
        );
        let budget = |refused| {
            move |it: &mut Timeline| {
                it.header.budget_bytes = Some(64 << 20);
                last(it).budget = Some(Budget { refused, ..Budget::default() });
            }
        };
        check(budget(7), "7 times a thread was refused more memory");
        check(budget(7), "allow more than 64.0 MiB");
        check(budget(7), "nothing was found that spoils");
        check(dropped(Dropped { frames: 5, ..Dropped::default() }), "nothing was found");
        let children = Children { forked: 7, recorded: 3, brief: 2, ..Children::default() };
        check(move |it| last(it).children = Some(children), "2 forked children have no recording");
        check(|it| last(it).rss_bytes += 64 << 20, "grew by 64.0 MiB outside the recorded heap");
        check(
            |it| {
                last(it).rss_bytes += 64 << 20;
                last(it).heap.live_bytes += 40 << 20;
            },
            "nothing was found",
        );
    }
}
