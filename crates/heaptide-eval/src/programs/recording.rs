//! What a recording of somebody else's program must be: whole, its sums right, readable to the
//! analyzer, and next to nothing in it unknown.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use heaptide_analyze::Terms;
use heaptide_analyze::load::Point;
use heaptide_analyze::load::{Recording, load_one};
use heaptide_analyze::symbols::ElfResolver;
use heaptide_format::{Dropped, HeapTotals, Reason, SiteId};

/// Of a hundred stacks, so many may end before their root: one through hand-written assembly
/// without unwind tables ends there. What is more than that is our mistake.
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
    let mut rows: BTreeMap<SiteId, HeapTotals> = BTreeMap::new();
    let mut sums = vec![None; points.len()];
    let mut sum = HeapTotals::default();
    let warnings = run.rows(|k, row| {
        let new = row.counts();
        let old = rows.insert(row.site, new).unwrap_or_default();
        sum = sum + new - old;
        sums[k] = Some(sum);
    })?;
    ensure!(warnings.is_empty(), "{}", warnings[0]);
    let mut stands = HeapTotals::default();
    for (point, sum) in points.iter().zip(sums) {
        stands = sum.unwrap_or(stands);
        let (seq, told) = (point.seq, point.heap);
        ensure!(
            told == stands,
            "snapshot {seq}: the totals are {told:?}, the rows sum up to {stands:?}"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use anyhow::bail;
    use heaptide_format::{Line, Site, Snapshot};
    use heaptide_synthetic::{Born, Process, text};

    use super::*;

    /// What is wrong with a recording of one site and one snapshot, after `spoil` had its way with
    /// them.
    fn complaint(name: &str, spoil: impl FnOnce(&mut Site, &mut Snapshot)) -> Result<String> {
        let mut process = Process::of_snapshots(1);
        process.site("shop::login", |_| vec![Born::for_ever(3)]);
        process.points[0].reason = Reason::Exit;
        let mut lines = process.lines();
        let [.., Line::Site(site), Line::Names(_), Line::Snapshot(snapshot)] = &mut lines[..]
        else {
            bail!("other lines than the kit's: {lines:?}");
        };
        spoil(site, snapshot);
        let path = std::env::temp_dir().join(format!("{}-{name}.jsonl", std::process::id()));
        std::fs::write(&path, text(&lines))?;
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
        check("alone", |_, snapshot| snapshot.heap.allocs = 4, "cannot be true")?;
        let one_more = |_: &mut Site, snapshot: &mut Snapshot| {
            (snapshot.heap.allocs, snapshot.heap.frees) = (4, 1);
        };
        check("sum", one_more, "the rows sum up to")?;
        check("overrun", |_, snapshot| snapshot.dropped.overruns = 1, "overruns: 1")?;
        check("frames", |_, snapshot| snapshot.dropped.frames = 1, "of 1 blocks")?;
        check("truncated", |site, _| site.truncated = true, "of 1 sites")
    }
}
