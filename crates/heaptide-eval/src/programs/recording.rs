//! What a recording of somebody else's program must be: whole, its sums right, readable to the
//! analyzer, and next to nothing in it unknown.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use heaptide_analyze::Terms;
use heaptide_analyze::load::Point;
use heaptide_analyze::load::{Recording, load_one};
use heaptide_analyze::symbols::ElfResolver;
use heaptide_format::{Dropped, HeapTotals, Reason, SiteId, SiteRow};

/// Of a hundred stacks, so many may end before their root.
const TRUNCATED_PERCENT: u64 = 1;

/// What there is to say of recordings.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Contents {
    pub(crate) recordings: usize,
    pub(crate) snapshots: usize,
    pub(crate) sites: u64,
    pub(crate) allocs: u64,
    /// Sites whose stack ends before its root.
    pub(crate) truncated: u64,
}

impl Contents {
    pub(crate) fn add(&mut self, other: &Self) {
        self.recordings += other.recordings;
        self.snapshots += other.snapshots;
        self.sites += other.sites;
        self.allocs += other.allocs;
        self.truncated += other.truncated;
    }
}

/// Checks a recording; what is wrong with it is the error.
pub(crate) fn check(path: &Path) -> Result<Contents> {
    let (run, warnings) = load_one(path)?;
    ensure!(warnings.is_empty(), "{}", warnings[0]);
    let last = run.timeline.points.last().context("there is no snapshot")?;
    ensure!(last.reason == Reason::Exit, "it ends before the program did");
    check_dropped(&run, last)?;
    check_sums(&run)?;
    Ok(Contents {
        recordings: 1,
        snapshots: run.timeline.points.len(),
        sites: run.sites.len() as u64,
        allocs: last.heap.allocs,
        truncated: truncated(&run),
    })
}

/// Judges recordings by the default policy: any verdict will do, as long as there is one.
pub(crate) fn judge(paths: &[PathBuf]) -> Result<()> {
    ensure!(!paths.is_empty(), "nothing was recorded");
    let mut resolver = ElfResolver::new(Vec::new());
    let report = heaptide_analyze::judge(paths, &mut resolver, &Terms::default())?;
    ensure!(report.errors.is_empty(), "{}", report.errors[0]);
    ensure!(report.runs.len() == paths.len(), "{} runs were judged", report.runs.len());
    Ok(())
}

fn truncated(run: &Recording) -> u64 {
    run.sites.values().filter(|site| site.truncated).count() as u64
}

fn check_dropped(run: &Recording, last: &Point) -> Result<()> {
    let Dropped { frames, .. } = last.dropped;
    let others = Dropped { frames: 0, ..last.dropped };
    ensure!(others == Dropped::default(), "something is missing: {others:?}");
    let (sites, blocks) = (run.sites.len() as u64, last.heap.allocs);
    for (cut, of, what) in [(truncated(run), sites, "sites"), (frames, blocks, "blocks")] {
        ensure!(
            100 * cut <= TRUNCATED_PERCENT * of,
            "the stacks of {cut} {what} out of {of} end before their root"
        );
    }
    Ok(())
}

/// At every snapshot, the totals are the sum of the rows as they stand.
fn check_sums(run: &Recording) -> Result<()> {
    let points = &run.timeline.points;
    let mut rows: BTreeMap<SiteId, [u64; 7]> = BTreeMap::new();
    let mut sums = vec![None; points.len()];
    let mut sum = [0_u64; 7];
    let warnings = run.rows(|k, row| {
        let new = numbers(row);
        let old = rows.insert(row.site, new).unwrap_or_default();
        for (sum, (new, old)) in sum.iter_mut().zip(new.into_iter().zip(old)) {
            *sum = sum.wrapping_add(new).wrapping_sub(old);
        }
        sums[k] = Some(sum);
    })?;
    ensure!(warnings.is_empty(), "{}", warnings[0]);
    let mut stands = [0; 7];
    for (point, sum) in points.iter().zip(sums) {
        stands = sum.unwrap_or(stands);
        let told = totals(&point.heap);
        ensure!(
            told == stands,
            "snapshot {}: the totals are {told:?}, the rows sum up to {stands:?}",
            point.seq
        );
    }
    Ok(())
}

fn numbers(row: &SiteRow) -> [u64; 7] {
    [
        row.allocs,
        row.frees,
        row.alloc_bytes,
        row.freed_bytes,
        row.reallocs,
        row.live_objects,
        row.live_bytes,
    ]
}

fn totals(heap: &HeapTotals) -> [u64; 7] {
    [
        heap.allocs,
        heap.frees,
        heap.alloc_bytes,
        heap.freed_bytes,
        heap.reallocs,
        heap.live_objects,
        heap.live_bytes,
    ]
}

#[cfg(test)]
mod tests {
    use heaptide_format::{FORMAT_VERSION, Header, Line, Site, Snapshot};

    use super::*;

    /// A recording of one site and one snapshot, after `spoil` had its way with them.
    fn complaint(name: &str, spoil: impl FnOnce(&mut Site, &mut Snapshot)) -> Result<String> {
        let id = SiteId(1);
        let mut site = Site { id, tag: None, frames: Vec::new(), truncated: false };
        let heap = HeapTotals { allocs: 3, live_objects: 3, ..HeapTotals::default() };
        let row = r#"{"site":1,"allocs":3,"frees":0,"alloc_bytes":0,"freed_bytes":0,
                      "live_objects":3,"live_bytes":0}"#;
        let sites = vec![serde_json::from_str(row)?];
        let mut snapshot = Snapshot { reason: Reason::Exit, heap, sites, ..Snapshot::default() };
        spoil(&mut site, &mut snapshot);
        let header = Header { format: FORMAT_VERSION, ..Header::default() };
        let mut bytes = Vec::new();
        for line in [Line::Header(header), Line::Site(site), Line::Snapshot(snapshot)] {
            line.write_to(&mut bytes);
        }
        let path = std::env::temp_dir().join(format!("{}-{name}.jsonl", std::process::id()));
        std::fs::write(&path, bytes)?;
        let checked = check(&path);
        std::fs::remove_file(&path)?;
        Ok(checked.err().map(|err| err.to_string()).unwrap_or_default())
    }

    #[test]
    fn what_is_wrong_is_told() -> Result<()> {
        let check = |name: &str, spoil: fn(&mut Site, &mut Snapshot), expected: &str| {
            let complaint = complaint(name, spoil)?;
            assert!(complaint.contains(expected), "{name}: {complaint}");
            assert_eq!(complaint.is_empty(), expected.is_empty(), "{name}: {complaint}");
            anyhow::Ok(())
        };
        check("sound", |_, _| {}, "")?;
        check("no-end", |_, snapshot| snapshot.reason = Reason::Interval, "before the program")?;
        check("sum", |_, snapshot| snapshot.heap.allocs = 4, "the rows sum up to")?;
        check("overrun", |_, snapshot| snapshot.dropped.overruns = 1, "overruns: 1")?;
        check("frames", |_, snapshot| snapshot.dropped.frames = 1, "of 1 blocks")?;
        check("truncated", |site, _| site.truncated = true, "of 1 sites")
    }
}
