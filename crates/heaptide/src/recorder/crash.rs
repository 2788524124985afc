//! Faults at every call that changes a file: what was acknowledged is there, and every file can be read.
//!
//! A recording with segments, thinning and joining is written once for each call that it makes, and the
//! process is killed there: of a write a part arrives, and nothing comes after. Every seventh of these
//! points is tried; with `HEAPTIDE_KILL_POINTS=all` (`cargo ci kill`) all of them.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use heaptide_format::{Epoch, Header, Line, SiteId, SiteRow, Snapshot};

use super::disk::fault::{Fault, with_fault};
use super::segments::{Limits, Output};

const N_SNAPSHOTS: u64 = 60;
const N_SITES: u32 = 6;

/// One recording, as its writer knows it.
#[derive(Default)]
struct Acknowledged {
    seqs: Vec<u64>,
    n_refused: u64,
    n_dropped: u64,
}

/// Site `id` has allocated `seq` blocks a piece, every site in its turn; the first snapshot of a segment
/// has all of them.
fn snapshot(seq: u64, everything: bool) -> Snapshot {
    let changed = |id: u32| everything || seq % u64::from(N_SITES) == u64::from(id);
    let row = |id: u32| {
        // As of the last snapshot at which it changed.
        let since = (seq + u64::from(N_SITES) - u64::from(id)) % u64::from(N_SITES);
        let allocs = (seq + 1).saturating_sub(since);
        SiteRow { allocs, live_objects: allocs, ..SiteRow::empty(SiteId(id + 1)) }
    };
    let sites = (0..N_SITES).filter(|&id| changed(id)).map(row).collect();
    Snapshot { seq, epoch: Epoch(seq as u32), sites, ..Snapshot::default() }
}

fn site_lines(out: &mut Vec<u8>) {
    for id in 0..N_SITES {
        let site = format!("{{\"kind\":\"site\",\"id\":{},\"frames\":[]}}\n", id + 1);
        out.extend_from_slice(site.as_bytes());
    }
}

fn record(folder: &Path, limits: Limits) -> Acknowledged {
    let mut acknowledged = Acknowledged::default();
    let mut header = Header { recording: "r".into(), pid: 7, ..Header::default() };
    let Ok(mut output) = Output::create(&folder.join("shop.jsonl"), &header, limits) else {
        return acknowledged;
    };
    let mut seq = 0;
    for _ in 0..N_SNAPSHOTS {
        if output.wants_new_segment() {
            let _ = output.next_segment(&mut header);
        }
        let everything = output.needs_everything();
        let mut lines = Vec::new();
        if everything {
            site_lines(&mut lines);
        }
        Line::Snapshot(snapshot(seq, everything || acknowledged.n_refused > 0))
            .write_to(&mut lines);
        if output.append(&lines).is_ok() {
            acknowledged.seqs.push(seq);
            seq += 1;
        } else {
            acknowledged.n_refused += 1;
        }
    }
    let _ = output.sync();
    acknowledged.n_dropped = output.n_dropped();
    acknowledged
}

/// What a reader finds: the snapshots of all segments in order, each number once.
fn read(folder: &Path) -> Vec<Snapshot> {
    let entries =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut segments = BTreeMap::new();
    for path in entries.filter(|path| path.extension().is_some_and(|ending| ending == "jsonl")) {
        let text = fs::read(&path).expect("a file");
        let mut lines: Vec<_> = text.split_inclusive(|&byte| byte == b'\n').collect();
        // A torn last line is no error.
        lines.pop_if(|line| !line.ends_with(b"\n"));
        let mut lines = lines.into_iter().map(|line| Line::parse(line).expect("a whole line"));
        let Some(Line::Header(header)) = lines.next() else {
            panic!("{} has no header", path.display())
        };
        let snapshots = lines.filter_map(|line| match line {
            Line::Snapshot(snapshot) => Some(snapshot),
            _ => None,
        });
        segments.insert(header.segment, snapshots.collect::<Vec<_>>());
    }
    let mut read: Vec<Snapshot> = Vec::new();
    for snapshot in segments.into_values().flatten() {
        if read.last().is_none_or(|last| last.seq < snapshot.seq) {
            read.push(snapshot);
        }
    }
    read
}

/// Nothing acknowledged is missing but what was thinned, and every state that is left is right.
fn check(folder: &Path, acknowledged: &Acknowledged, context: &str) {
    let found = read(folder);
    let seqs: BTreeSet<u64> = found.iter().map(|snapshot| snapshot.seq).collect();
    let ends = [acknowledged.seqs.first(), acknowledged.seqs.last()];
    for seq in ends.into_iter().flatten() {
        assert!(seqs.contains(seq), "{context}: {seq} is lost; there are {seqs:?}");
    }
    // Thinning keeps one in some power of two, whatever else it keeps.
    let missing: Vec<_> = acknowledged.seqs.iter().filter(|&seq| !seqs.contains(seq)).collect();
    let stride = (0..)
        .map(|power| 1 << power)
        .find(|stride| missing.iter().all(|&&seq| (seq + 1) % stride != 0));
    let stride: u64 =
        if missing.is_empty() { 1 } else { stride.expect("a power of two is large enough") };
    assert!(stride <= 16, "{context}: {missing:?} of {} are missing", acknowledged.seqs.len());
    let mut rows = BTreeMap::new();
    for snapshot in &found {
        rows.extend(snapshot.sites.iter().map(|row| (row.site, row.allocs)));
        let whole = self::snapshot(snapshot.seq, true).sites;
        let whole: BTreeMap<_, _> = whole.iter().map(|row| (row.site, row.allocs)).collect();
        assert_eq!(rows, whole, "{context}: the state at {}", snapshot.seq);
    }
}

fn scratch(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("heaptide-crash-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    folder
}

/// With thinning and joining, with small and large segments, and without a cap that is reached.
const LIMITS: [Limits; 4] = [
    Limits { segment_bytes: 6_000, total_bytes: 24_000 },
    Limits { segment_bytes: 5_000, total_bytes: 32_000 },
    Limits { segment_bytes: 4_000, total_bytes: 1 << 30 },
    Limits { segment_bytes: 1 << 20, total_bytes: 1 << 30 },
];
/// How much of the write at which the process is killed arrives.
const SHARES: [f64; 6] = [0.0, 0.01, 0.3, 0.5, 0.99, 1.0];

fn step() -> usize {
    let all = std::env::var("HEAPTIDE_KILL_POINTS").is_ok_and(|points| points == "all");
    if all { 1 } else { 7 }
}

#[test]
fn whoever_is_killed_loses_nothing_acknowledged() {
    let folder = scratch("kill");
    let (mut n_points, mut n_acknowledged) = (0, 0);
    for limits in LIMITS {
        let whole = scratch("kill");
        let mut acknowledged = Acknowledged::default();
        let never = Fault::Kill { share: 0.0 };
        let n_calls = with_fault(u64::MAX, never, || acknowledged = record(&whole, limits));
        assert_eq!(acknowledged.seqs.len() as u64, N_SNAPSHOTS, "{limits:?}");
        check(&whole, &acknowledged, "whole");
        let points = (0..n_calls).flat_map(|at| SHARES.map(|share| (at, share)));
        for (at, share) in points.step_by(step()) {
            let _ = fs::remove_dir_all(&folder);
            let mut acknowledged = Acknowledged::default();
            with_fault(at, Fault::Kill { share }, || acknowledged = record(&folder, limits));
            if folder.exists() {
                check(&folder, &acknowledged, &format!("{limits:?}, killed at {at} ({share})"));
            }
            n_points += 1;
            n_acknowledged += acknowledged.seqs.len();
        }
    }
    let _ = fs::remove_dir_all(&folder);
    println!("{n_points} kill points, {n_acknowledged} snapshots acknowledged, 0 lost");
}

/// The run that is thinned keeps its beginning, its end, and what lies between, evenly.
#[test]
fn the_cap_keeps_the_whole_run() {
    let folder = scratch("cap");
    let limits = LIMITS[0];
    let mut acknowledged = Acknowledged::default();
    with_fault(u64::MAX, Fault::Kill { share: 0.0 }, || acknowledged = record(&folder, limits));
    check(&folder, &acknowledged, "the cap");
    let seqs: Vec<u64> = read(&folder).iter().map(|snapshot| snapshot.seq).collect();
    let entries = fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry"));
    let bytes: u64 = entries.map(|entry| entry.metadata().expect("a file").len()).sum();
    assert!(bytes <= limits.total_bytes, "{bytes} bytes");
    assert!(acknowledged.n_dropped > 0);
    assert_eq!(acknowledged.n_dropped, N_SNAPSHOTS - seqs.len() as u64);
    let widest = seqs.windows(2).map(|pair| pair[1] - pair[0]).max();
    assert!(widest.is_some_and(|widest| widest <= 8), "{seqs:?}");
    let _ = fs::remove_dir_all(&folder);
}

/// A disk that is full for a while costs the snapshots that it refuses, and nothing else.
#[test]
fn a_full_disk_loses_what_it_refuses() {
    for at in (0..150).step_by(step()) {
        let folder = scratch("full");
        let mut acknowledged = Acknowledged::default();
        let full = Fault::Full { n_calls: 5 };
        with_fault(at, full, || acknowledged = record(&folder, LIMITS[0]));
        if folder.exists() {
            let found: BTreeSet<u64> = read(&folder).iter().map(|snapshot| snapshot.seq).collect();
            let ends = [acknowledged.seqs.first(), acknowledged.seqs.last()];
            assert!(
                ends.into_iter().flatten().all(|seq| found.contains(seq)),
                "at {at}: {found:?}"
            );
        }
        let _ = fs::remove_dir_all(&folder);
    }
}
