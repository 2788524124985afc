//! Which recording is shown: of a process, a file, or all in a directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};

use crate::watch::live::LiveRecording;
use crate::watch::recordings::{jsonl_files, segment};

/// How long a snapshot may take that was asked for by a key.
const PATIENCE: Duration = Duration::from_secs(5);

/// Files that are read, and who writes them if that is known.
#[derive(Clone, Debug)]
pub(super) struct Source {
    path: PathBuf,
    pid: Option<i32>,
}

/// What there is to read.
#[derive(Clone, Debug)]
pub(super) enum Paths {
    /// All recordings in it.
    Directory(PathBuf),
    /// All of one recording.
    Segments(Vec<PathBuf>),
}

/// What changes when a recording does.
pub(super) type Stamp = Vec<(PathBuf, u64, SystemTime)>;

impl Source {
    /// `what` is a recording, a directory of recordings, or the number of a process that records.
    pub(super) fn find(what: &str) -> anyhow::Result<Self> {
        if Path::new(what).exists() {
            return Ok(Self { path: what.into(), pid: None });
        }
        let Ok(pid) = what.parse() else {
            bail!("{what} is no file, no directory, and no number of a process")
        };
        let path = LiveRecording::of(pid)?.segment.path;
        Ok(Self { path, pid: Some(pid) })
    }

    /// What there is to read now.
    pub(super) fn paths(&self) -> Paths {
        match self.path.is_dir() {
            true => Paths::Directory(self.path.clone()),
            false => Paths::Segments(segments(&self.path)),
        }
    }

    /// As they are now.
    pub(super) fn stamp(&self) -> Stamp {
        let files = match fs::read_dir(&self.path) {
            Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())).collect(),
            Err(_) => segments(&self.path),
        };
        let of_file = |path: PathBuf| {
            let about = fs::metadata(&path).ok()?;
            Some((path, about.len(), about.modified().ok()?))
        };
        let mut stamp: Stamp = files.into_iter().filter_map(of_file).collect();
        stamp.sort();
        stamp
    }

    /// Asks the process for a snapshot; its number.
    pub(super) fn snapshot(&self) -> anyhow::Result<u64> {
        let pid = self.pid.context("give the number of a process to ask it for snapshots")?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (_, seq) = runtime.block_on(LiveRecording::of(pid)?.snapshot(PATIENCE))?;
        Ok(seq)
    }
}

/// The segments beside one of them: the files of its recording, whatever they are called.
fn segments(path: &Path) -> Vec<PathBuf> {
    let alone = || vec![path.to_owned()];
    let Some(own) = segment(path) else { return alone() };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let files = jsonl_files(folder.unwrap_or(Path::new("."))).unwrap_or_default();
    let is_one = |file: &PathBuf| {
        segment(file).is_some_and(|other| other.header.recording == own.header.recording)
    };
    let found: Vec<PathBuf> = files.into_iter().filter(is_one).collect();
    if found.is_empty() { alone() } else { found }
}

#[cfg(test)]
mod tests {
    use heaptide_format::{Header, Line};

    use super::*;

    #[test]
    fn all_segments_of_a_recording_are_read_and_no_other() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        for (name, recording) in [
            ("shop.jsonl", "a"),
            ("shop.001.jsonl", "a"),
            ("shop.002.jsonl", "a"),
            ("shop.003.jsonl", "of the run before"),
            ("shopper.jsonl", "b"),
        ] {
            let mut line = Vec::new();
            let header = Header { recording: recording.to_owned(), ..Header::default() };
            Line::Header(header).write_to(&mut line);
            fs::write(folder.path().join(name), line)?;
        }
        let found = segments(&folder.path().join("shop.001.jsonl"));
        let names = found.iter().filter_map(|path| path.file_name()?.to_str());
        assert_eq!(names.collect::<Vec<_>>(), ["shop.001.jsonl", "shop.002.jsonl", "shop.jsonl"]);
        assert_eq!(segments(&folder.path().join("none.jsonl")).len(), 1);
        Ok(())
    }
}
