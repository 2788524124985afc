//! Long recordings, kept short: what is judged of one that is still being written.
//!
//! A judgement reads all there is, and whoever watches a recording wants one after each snapshot. So
//! that the last costs no more than the first, a long recording is followed line by line, each line
//! once, into a [`copy`] that holds only so many of its snapshots, evenly over the whole run.
//! Short recordings are read as they are, and so are those that a copy would not do justice: damaged
//! ones, whose lines have to be named, and any that cannot be copied.

mod copy;

use std::collections::BTreeSet;
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
#[derive(Debug, Default)]
pub(crate) struct ShortCopies {
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

    /// What to read instead of `files`, the segments of one recording.
    fn what_to_read(&mut self, recording: &str, files: &[PathBuf]) -> ToRead {
        let whole = ToRead { paths: files.to_vec(), copied: None };
        if self.unfit.contains(recording) || total_bytes(files) <= SHORT_BYTES {
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
