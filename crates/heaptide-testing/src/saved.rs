//! The recording of one test: its calls are the epochs, its call sites the only ones.
//!
//! It is a recording like any other, so that all tools read it. Which blocks are alive by birth is not
//! known to the call, because all tests of a process share its epochs: what was made last is taken to
//! be what went first, so that a level which rises and stays is shown where it rose.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use heaptide::TagReader;
use heaptide_format::{Cohort, Epoch, HeapTotals, Line, Reason, SiteRow, Snapshot};

use crate::error::Error;
use crate::levels::{Levels, SiteLevels};

/// So many epochs a recording keeps apart from each other (`docs/FORMAT.md`, "Birth epochs").
const MOST_SNAPSHOTS: usize = 64;
/// What the calls are counted as.
pub(crate) const WORK: &str = "calls";

/// A recording of a test on disk.
#[derive(Clone, Debug)]
pub(crate) struct Saved {
    pub(crate) path: PathBuf,
    /// How many of its snapshots are from the warm-up.
    pub(crate) n_warm_up: usize,
}

/// Writes it; one of an earlier test of the same name is replaced.
///
/// # Errors
/// [`Error::Recording`].
pub(crate) fn save(
    test: &str,
    reader: &TagReader,
    levels: &Levels,
    warm_up: usize,
) -> Result<Saved, Error> {
    let path = path_of(test);
    let calls = shown_calls(levels.calls());
    let mut bytes = Vec::new();
    let mut lines = reader.describe();
    for line in &mut lines {
        match line {
            Line::Header(header) => header.start_mono_ns = 0,
            Line::Site(site) => site.tag = Some(test.to_owned()),
            _ => {}
        }
    }
    lines.extend(snapshots(levels, &calls).into_iter().map(Line::Snapshot));
    lines.iter().for_each(|line| line.write_to(&mut bytes));
    write(&path, &bytes).map_err(|source| Error::Recording { path: path.clone(), source })?;
    let n_warm_up = calls.iter().filter(|call| **call <= warm_up).count();
    Ok(Saved { path, n_warm_up })
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, bytes)
}

/// `target/heaptide/PROGRAM-TEST.jsonl`, or the same in the system's directory for temporary files where
/// no target directory is known.
fn path_of(test: &str) -> PathBuf {
    let exe = std::env::current_exe().unwrap_or_default();
    let is_target = |dir: &&Path| dir.join("CACHEDIR.TAG").is_file();
    let target = exe.ancestors().skip(1).find(is_target).map(Path::to_owned);
    let folder = target.unwrap_or_else(std::env::temp_dir).join("heaptide");
    let program = exe.file_stem().unwrap_or_default().to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let name = test.replace(|c: char| !is_plain(c), "-");
    folder.join(format!("{program}-{name}.jsonl"))
}

/// The calls after which there is a snapshot, the last among them.
fn shown_calls(calls: usize) -> Vec<usize> {
    let every = calls.div_ceil(MOST_SNAPSHOTS).max(1);
    (1..=calls).filter(|call| (calls - call).is_multiple_of(every)).collect()
}

fn snapshots(levels: &Levels, calls: &[usize]) -> Vec<Snapshot> {
    let mut sites: Vec<(&SiteLevels, SiteRow)> =
        levels.sites().map(|site| (site, SiteRow::empty(site.site))).collect();
    let snapshot = |(seq, &call): (usize, &usize)| {
        let mono_ns = u64::try_from(levels.time_of(call).as_nanos()).unwrap_or(u64::MAX);
        let epoch = Epoch(seq as u32);
        let changed = |(site, row): &mut (&SiteLevels, SiteRow)| {
            let has_changed = advance(row, site, call, epoch, mono_ns);
            has_changed.then(|| row.clone())
        };
        let rows: Vec<SiteRow> = sites.iter_mut().filter_map(changed).collect();
        let heap = sites.iter().map(|(_, row)| row.counts());
        Snapshot {
            seq: seq as u64,
            mono_ns,
            epoch,
            reason: Reason::Call,
            work: [(WORK.to_owned(), call as u64)].into(),
            heap: heap.fold(HeapTotals::default(), |sum, counts| sum + counts),
            sites: rows,
            ..Snapshot::default()
        }
    };
    calls.iter().enumerate().map(snapshot).collect()
}

/// Brings a row up to what the site had counted after a call; whether that is anything new.
fn advance(row: &mut SiteRow, site: &SiteLevels, call: usize, epoch: Epoch, mono_ns: u64) -> bool {
    let counts = site.counts(call);
    // What an earlier test left under the same tag may be freed now.
    let frees = counts.frees.min(counts.allocs);
    let freed_bytes = counts.freed_bytes.min(counts.alloc_bytes);
    let before = (row.allocs, row.frees, row.reallocs);
    if frees > row.frees {
        row.last_free_ns = Some(mono_ns);
    }
    (row.allocs, row.frees, row.reallocs) = (counts.allocs, frees, counts.reallocs);
    (row.alloc_bytes, row.freed_bytes) = (counts.alloc_bytes, freed_bytes);
    row.live_objects = row.allocs - row.frees;
    row.live_bytes = row.alloc_bytes - row.freed_bytes;
    age(&mut row.cohorts, epoch, row.live_objects, row.live_bytes);
    before != (row.allocs, row.frees, row.reallocs)
}

/// Brings cohorts up to so many blocks and bytes: new ones are of this epoch, those that are missing were
/// the last made.
fn age(cohorts: &mut Vec<Cohort>, epoch: Epoch, objects: u64, bytes: u64) {
    let count = |cohorts: &[Cohort]| cohorts.iter().map(|cohort| cohort.1).sum::<u64>();
    let mut surplus = count(cohorts).saturating_sub(objects);
    while surplus > 0 {
        let Some(last) = cohorts.last_mut() else { break };
        let gone = last.1.min(surplus);
        last.2 -= last.2 * gone / last.1.max(1);
        last.1 -= gone;
        surplus -= gone;
        if last.1 == 0 {
            cohorts.pop();
        }
    }
    let missing = objects.saturating_sub(count(cohorts));
    if missing > 0 {
        cohorts.push(Cohort(epoch, missing, 0));
    }
    let others: u64 = cohorts.iter().rev().skip(1).map(|cohort| cohort.2).sum();
    match cohorts.last_mut() {
        Some(last) if others <= bytes => last.2 = bytes - others,
        // Blocks became smaller: which of them is not known.
        Some(_) => {
            let n = cohorts.len() as u64;
            for cohort in cohorts.iter_mut() {
                cohort.2 = bytes / n;
            }
            if let Some(last) = cohorts.last_mut() {
                last.2 += bytes % n;
            }
        }
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cohorts_add_up_to_what_is_alive() {
        let mut cohorts = Vec::new();
        let levels = [(1, 10), (3, 30), (3, 50), (2, 20), (2, 5), (0, 0), (4, 7)];
        for (epoch, (objects, bytes)) in (0..).map(Epoch).zip(levels) {
            age(&mut cohorts, epoch, objects, bytes);
            let sum = cohorts.iter().fold((0, 0), |sum, it| (sum.0 + it.1, sum.1 + it.2));
            assert_eq!(sum, (objects, bytes), "{cohorts:?}");
            assert!(cohorts.is_sorted_by_key(|cohort| cohort.0));
        }
    }

    #[test]
    fn few_calls_are_shown_and_the_last_always() {
        for calls in [1, 48, 64, 65, 400, 600, 1000] {
            let shown = shown_calls(calls);
            assert!(
                shown.len() <= MOST_SNAPSHOTS && shown.last() == Some(&calls),
                "{calls}: {shown:?}"
            );
        }
        assert_eq!(shown_calls(3), [1, 2, 3]);
    }
}
