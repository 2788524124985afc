//! Which recording is shown: of a process, a file, or all in a directory; and whether it has changed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::watch::library::{Found, Library, Stamp};
use crate::watch::live::LiveRecording;

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

    /// Asks the process for a snapshot; its number.
    pub(super) fn snapshot(&self) -> anyhow::Result<u64> {
        let pid = self.pid.context("give the number of a process to ask it for snapshots")?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (_, seq) = runtime.block_on(LiveRecording::of(pid)?.snapshot(PATIENCE))?;
        Ok(seq)
    }
}

/// Files as they were at a look.
type Stamped = Vec<(PathBuf, Stamp)>;

/// A source as its reader follows it.
#[derive(Debug)]
pub(super) struct Followed {
    library: Library,
    dir: PathBuf,
    /// The file that is shown; without it all of the directory.
    own: Option<PathBuf>,
    seen: Option<Stamped>,
}

impl Followed {
    pub(super) fn new(source: &Source) -> Self {
        let (dir, own) = match source.path.file_name().filter(|_| !source.path.is_dir()) {
            Some(name) => {
                let folder = source.path.parent().filter(|it| !it.as_os_str().is_empty());
                let folder = folder.unwrap_or(Path::new("."));
                (folder.to_owned(), Some(folder.join(name)))
            }
            None => (source.path.clone(), None),
        };
        Self { library: Library::new(dir.clone()), dir, own, seen: None }
    }

    /// What there is to read, if it is not as it was at the last look.
    pub(super) fn changed(&mut self) -> Option<Paths> {
        // A directory that cannot be listed is for the reader to complain of.
        let found = self.library.look().unwrap_or_default().into_values();
        let (paths, stamped) = match &self.own {
            None => {
                let stamped = found.flat_map(Found::stamped).collect();
                (Paths::Directory(self.dir.clone()), stamped)
            }
            Some(own) => segments(own, found),
        };
        let is_news = self.seen.as_ref() != Some(&stamped);
        self.seen = Some(stamped);
        is_news.then_some(paths)
    }
}

/// All files of the recording that this one belongs to, whatever they are called; itself at least.
fn segments(own: &Path, mut found: impl Iterator<Item = Found>) -> (Paths, Stamped) {
    let recording = found.find(|it| it.files.iter().any(|file| file == own));
    let stamped: Stamped = match recording {
        Some(recording) => recording.stamped().collect(),
        None => Stamp::of(own).map(|stamp| (own.to_owned(), stamp)).into_iter().collect(),
    };
    let files: Vec<PathBuf> = stamped.iter().map(|(file, _)| file.clone()).collect();
    (Paths::Segments(if files.is_empty() { vec![own.to_owned()] } else { files }), stamped)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use heaptide_format::{Header, Line};

    use super::*;

    fn write(path: &Path, recording: &str) -> anyhow::Result<()> {
        let mut line = Vec::new();
        let header = Header { recording: recording.to_owned(), ..Header::default() };
        Line::Header(header).write_to(&mut line);
        Ok(fs::write(path, line)?)
    }

    fn names(paths: Option<Paths>) -> Vec<String> {
        let files = match paths {
            Some(Paths::Segments(files)) => files,
            Some(Paths::Directory(dir)) => vec![dir],
            None => Vec::new(),
        };
        let name = |path: &PathBuf| Some(path.file_name()?.to_string_lossy().into_owned());
        files.iter().filter_map(name).collect()
    }

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
            write(&folder.path().join(name), recording)?;
        }
        let read = |name: &str| {
            let source = Source { path: folder.path().join(name), pid: None };
            names(Followed::new(&source).changed())
        };
        assert_eq!(read("shop.001.jsonl"), ["shop.001.jsonl", "shop.002.jsonl", "shop.jsonl"]);
        assert_eq!(read("none.jsonl"), ["none.jsonl"]);
        Ok(())
    }

    #[test]
    fn what_has_not_changed_is_not_read_again() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("shop.jsonl");
        write(&file, "a")?;
        for path in [folder.path(), &*file] {
            let mut followed = Followed::new(&Source { path: path.to_owned(), pid: None });
            assert_eq!(names(followed.changed()).len(), 1);
            assert!(followed.changed().is_none());
            fs::OpenOptions::new().append(true).open(&file)?.write_all(b"{}\n")?;
            assert!(followed.changed().is_some());
            assert!(followed.changed().is_none());
        }
        Ok(())
    }
}
