//! Long recordings, kept short: what is judged of one that is still being written.
//!
//! A judgement reads all there is, and whoever watches a recording wants one after each snapshot. So
//! that the last costs no more than the first, a long recording is followed line by line, each line
//! once, into a [`copy`] that holds only so many of its snapshots, evenly over the whole run.
//! Short recordings are read as they are, and so are those that a copy would not do justice: damaged
//! ones, whose lines have to be named, and any that cannot be copied.

mod copy;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::PathBuf;

use heaptide_analyze::view::RunView;
use heaptide_analyze::{Outcome, Report};
use tempfile::TempDir;

use crate::judging::Judge;
use copy::{Failure, ThinnedCopy};

/// A recording of so many bytes is read in a tenth of a second.
const SHORT_BYTES: u64 = 16 << 20;
/// Recordings that grow at the same time; of more, those that were read longest ago are copied anew.
const MOST_COPIES: usize = 16;

/// Copies of the recordings that are watched, in a directory that goes with them.
#[derive(Debug)]
pub(crate) struct ShortCopies {
    /// Recordings of no more bytes are read as they are.
    short_bytes: u64,
    dir: Option<TempDir>,
    /// By recording; the one that was read last is the last.
    copies: Vec<(String, ThinnedCopy)>,
    /// Recordings that are to be read as they are.
    unfit: BTreeSet<String>,
}

/// What to read of a recording.
#[derive(Clone, Debug)]
struct ToRead {
    paths: Vec<PathBuf>,
    /// Where it is a copy: how many of how many snapshots it has.
    copied: Option<(usize, usize)>,
}

impl Default for ShortCopies {
    fn default() -> Self {
        Self { short_bytes: SHORT_BYTES, dir: None, copies: Vec::new(), unfit: BTreeSet::new() }
    }
}

impl ShortCopies {
    /// Judges a recording of these segments, a long one by its copy.
    ///
    /// # Errors
    /// What is read cannot be.
    pub(crate) fn judge(
        &mut self,
        judge: &Judge,
        recording: &str,
        files: &[PathBuf],
    ) -> anyhow::Result<(Report, Vec<RunView>)> {
        let ToRead { paths, copied } = self.what_to_read(recording, files);
        let (mut report, runs) = judge.judge_and_view(&paths)?;
        if copied.is_some() && report.outcome == Outcome::Error {
            // What is wrong stands somewhere else in the recording than in its copy.
            self.give_up(recording);
            return judge.judge_and_view(files);
        }
        if let Some((n_copied, n_snapshots)) = copied.filter(|(few, all)| few < all) {
            // They are not: it is the copy that does not have them.
            report.warnings.retain(|warning| !warning.contains(" snapshots are missing"));
            report.warnings.push(format!(
                "judged by {n_copied} of its {n_snapshots} snapshots, which lie evenly over the run; \
                 `heaptide check` reads them all"
            ));
            report.runs.iter_mut().for_each(|run| run.snapshots = n_snapshots);
        }
        Ok((report, runs))
    }

    /// Judges what was recorded so far: by recording, its segments.
    ///
    /// # Errors
    /// What is read cannot be.
    pub(crate) fn judge_so_far(
        &mut self,
        judge: &Judge,
        recordings: &BTreeMap<String, Vec<PathBuf>>,
    ) -> anyhow::Result<Report> {
        let read: Vec<ToRead> =
            recordings.iter().map(|(name, files)| self.what_to_read(name, files)).collect();
        let is_copied = read.iter().any(|it| it.copied.is_some());
        let report = judge.judge(&read.into_iter().flat_map(|it| it.paths).collect::<Vec<_>>())?;
        if is_copied && report.outcome == Outcome::Error {
            recordings.keys().for_each(|name| self.give_up(name));
            return judge.judge(&recordings.values().flatten().cloned().collect::<Vec<_>>());
        }
        Ok(report)
    }

    /// What to read instead of `files`, the segments of one recording.
    fn what_to_read(&mut self, recording: &str, files: &[PathBuf]) -> ToRead {
        let whole = ToRead { paths: files.to_vec(), copied: None };
        if self.unfit.contains(recording) || total_bytes(files) <= self.short_bytes {
            return whole;
        }
        match self.followed(recording, files) {
            Ok(copied) => copied,
            Err(Failure::Damaged) => {
                self.give_up(recording);
                whole
            }
            Err(Failure::NotNow) => whole,
        }
    }

    /// Reads this recording as it is from now on.
    fn give_up(&mut self, recording: &str) {
        self.copies.retain(|(known, _)| known != recording);
        self.unfit.insert(recording.to_owned());
    }

    fn followed(&mut self, recording: &str, files: &[PathBuf]) -> Result<ToRead, Failure> {
        let known = self.copies.iter().position(|(known, _)| known == recording);
        let mut copy = match known {
            Some(index) => self.copies.remove(index).1,
            None => ThinnedCopy::new(&self.place(recording, files)?)?,
        };
        copy.bring_up_to_date(files)?;
        let read = ToRead {
            paths: vec![copy.path().to_owned()],
            copied: Some((copy.n_copied(), copy.n_snapshots())),
        };
        self.copies.push((recording.to_owned(), copy));
        if self.copies.len() > MOST_COPIES {
            self.copies.remove(0);
        }
        Ok(read)
    }

    /// Where the copy of a recording goes: named as the recording, since warnings name it.
    fn place(&mut self, recording: &str, files: &[PathBuf]) -> io::Result<PathBuf> {
        let dir = match &mut self.dir {
            Some(dir) => dir,
            none => none.insert(tempfile::Builder::new().prefix("heaptide-").tempdir()?),
        };
        let own = dir.path().join(recording);
        fs::create_dir_all(&own)?;
        let name = files.first().and_then(|file| file.file_name());
        Ok(own.join(name.unwrap_or_else(|| "recording.jsonl".as_ref())))
    }
}

fn total_bytes(files: &[PathBuf]) -> u64 {
    let bytes = |file: &PathBuf| fs::metadata(file).map_or(0, |it| it.len());
    files.iter().map(bytes).sum()
}

#[cfg(test)]
mod tests {
    use heaptide_format::Line;
    use heaptide_synthetic::{Born, Process, text};

    use super::*;

    fn recording(id: &str, n_snapshots: u32) -> Vec<u8> {
        let mut process = Process::of_snapshots(n_snapshots);
        process.site("leaks", |_| vec![Born::for_ever(3)]);
        process.site("requests", |_| vec![Born::living(20, 2)]);
        let mut lines = process.lines();
        if let Some(Line::Header(header)) = lines.first_mut() {
            header.recording = id.to_owned();
        }
        text(&lines)
    }

    /// Each judgement of a run that was to end when it is decided read all that the run had written.
    #[test]
    fn a_run_is_judged_so_far_by_copies_of_what_is_long() -> anyhow::Result<()> {
        let dir = tempfile::tempdir()?;
        let write = |id: &str, n_snapshots| -> anyhow::Result<(String, Vec<PathBuf>)> {
            let path = dir.path().join(format!("{id}.jsonl"));
            fs::write(&path, recording(id, n_snapshots))?;
            Ok((id.to_owned(), vec![path]))
        };
        let (long, short) = (write("long", 1500)?, write("short", 60)?);
        let mut copies = ShortCopies { short_bytes: total_bytes(&short.1), ..Default::default() };
        let recordings = BTreeMap::from([long, short]);
        let judge = Judge::by_default();
        let report = copies.judge_so_far(&judge, &recordings)?;
        assert_eq!(report.outcome, Outcome::Growth, "{:?}", report.errors);
        assert_eq!(report.runs.len(), 2);
        let copied: Vec<&str> = copies.copies.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(copied, ["long"]);
        let snapshots: Vec<usize> = report.runs.iter().map(|run| run.snapshots).collect();
        assert!(snapshots.contains(&60) && snapshots.iter().all(|n| *n < 1500), "{snapshots:?}");
        Ok(())
    }
}
