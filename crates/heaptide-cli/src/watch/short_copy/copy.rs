//! The copy of one recording, with some of its snapshots.
//!
//! Snapshots are dropped as the recorder drops them from a recording that has reached its cap
//! (`docs/FORMAT.md`, "Files"). Rows are absolute, so what a dropped snapshot said moves to the next one,
//! and the copy reads as if those dropped had never been taken. The newest is always there: it stands
//! last, and is written over once there is a newer one, unless it is one of those that stay.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::fs::{self, File};
use std::hash::BuildHasher;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use heaptide_analyze::MOST_LINE_BYTES;
use heaptide_format::{Kind, Line, Snapshot};

use super::super::recordings::segment;

/// Twice as many as the analyzer tells apart (`heaptide_analyze::axis::MAX_SLOTS`): half of them go at
/// once.
const MOST_SNAPSHOTS: usize = 2 * heaptide_analyze::axis::MAX_SLOTS;
/// Snapshots' lines have up to megabytes.
const BUFFER_BYTES: usize = 1 << 18;

/// Why a recording cannot be copied.
#[derive(Debug)]
pub(super) enum Failure {
    /// It has a line that cannot be understood: whoever reads the recording itself can say which.
    Damaged,
    /// A file may have gone, or there is no room for the copy: later it may be otherwise.
    NotNow,
}

impl From<io::Error> for Failure {
    fn from(_: io::Error) -> Self {
        Self::NotNow
    }
}

/// A copy, and how far it has come.
#[derive(Debug)]
pub(super) struct ThinnedCopy {
    path: PathBuf,
    followed: Vec<Followed>,
    sink: Sink,
}

/// How far a segment has been read.
#[derive(Debug)]
struct Followed {
    path: PathBuf,
    device_and_inode: (u64, u64),
    n_bytes: u64,
}

/// The file that is written.
#[derive(Debug)]
struct Sink {
    file: BufWriter<File>,
    has_header: bool,
    /// Hashes of lines that each segment repeats.
    told: HashSet<u64>,
    hashes: RandomState,
    /// One snapshot in so many stays.
    stride: u64,
    n_kept: usize,
    n_snapshots: usize,
    last_seq: Option<u64>,
    /// The newest, if it does not stay; with what those dropped before it said.
    newest: Option<Snapshot>,
}

impl ThinnedCopy {
    /// An empty one at `path`.
    pub(super) fn new(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), followed: Vec::new(), sink: Sink::new(path, 1)? })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// How many snapshots the recording has.
    pub(super) fn n_snapshots(&self) -> usize {
        self.sink.n_snapshots
    }

    /// How many of them the copy has.
    pub(super) fn n_copied(&self) -> usize {
        self.sink.n_kept + usize::from(self.sink.newest.is_some())
    }

    /// Reads what is new in `files`, the segments of the recording. If what was read before is not what
    /// is there now, it begins again.
    pub(super) fn bring_up_to_date(&mut self, files: &[PathBuf]) -> Result<(), Failure> {
        let mut segments: Vec<_> = files.iter().filter_map(|file| segment(file)).collect();
        segments.sort_by_key(|segment| segment.header.segment);
        let paths: Vec<PathBuf> = segments.into_iter().map(|segment| segment.path).collect();
        if !self.is_as_followed(&paths) {
            self.followed.clear();
            self.sink = Sink::new(&self.path, 1)?;
        }
        let kept_bytes = self.sink.file.stream_position()?;
        self.sink.file.get_ref().set_len(kept_bytes)?;
        for (index, path) in paths.iter().enumerate() {
            self.follow(index, path)?;
        }
        self.sink.write_newest()?;
        Ok(())
    }

    fn is_as_followed(&self, paths: &[PathBuf]) -> bool {
        let is_same = |(followed, path): (&Followed, &PathBuf)| {
            let now = fs::metadata(path);
            let is_grown = |now: fs::Metadata| {
                identity(&now) == followed.device_and_inode && now.len() >= followed.n_bytes
            };
            followed.path == *path && now.is_ok_and(is_grown)
        };
        self.followed.len() <= paths.len() && self.followed.iter().zip(paths).all(is_same)
    }

    /// Goes on with a segment, up to the last line that is whole.
    fn follow(&mut self, index: usize, path: &Path) -> Result<(), Failure> {
        let mut file = File::open(path)?;
        let device_and_inode = identity(&file.metadata()?);
        if index == self.followed.len() {
            self.followed.push(Followed { path: path.to_owned(), device_and_inode, n_bytes: 0 });
        }
        file.seek(SeekFrom::Start(self.followed[index].n_bytes))?;
        let mut lines = BufReader::with_capacity(BUFFER_BYTES, file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let n_bytes = lines.by_ref().take(MOST_LINE_BYTES).read_until(b'\n', &mut line)?;
            if line.last() != Some(&b'\n') {
                let is_too_long = n_bytes as u64 == MOST_LINE_BYTES;
                return if is_too_long { Err(Failure::Damaged) } else { Ok(()) };
            }
            self.sink.take(&line)?;
            self.followed[index].n_bytes += n_bytes as u64;
            while self.sink.n_kept > MOST_SNAPSHOTS {
                self.thin()?;
            }
        }
    }

    /// Writes the copy again, with half of its snapshots.
    fn thin(&mut self) -> Result<(), Failure> {
        let stride = self.sink.stride.checked_mul(2).ok_or(Failure::Damaged)?;
        self.sink.write_newest()?;
        let beside = self.path.with_extension("thin");
        let mut sink = Sink::new(&beside, stride)?;
        let mut lines = BufReader::with_capacity(BUFFER_BYTES, File::open(&self.path)?);
        let mut line = Vec::new();
        while {
            line.clear();
            lines.read_until(b'\n', &mut line)? > 0
        } {
            sink.take(&line)?;
        }
        fs::rename(&beside, &self.path)?;
        sink.n_snapshots = self.sink.n_snapshots;
        self.sink = sink;
        Ok(())
    }
}

impl Drop for ThinnedCopy {
    fn drop(&mut self) {
        // What stays behind goes with its directory.
        let _ = fs::remove_file(&self.path);
    }
}

impl Sink {
    fn new(path: &Path, stride: u64) -> io::Result<Self> {
        let file = BufWriter::with_capacity(BUFFER_BYTES, File::create(path)?);
        let told = HashSet::new();
        let (last_seq, newest) = (None, None);
        Ok(Self {
            file,
            has_header: false,
            told,
            hashes: RandomState::new(),
            stride,
            n_kept: 0,
            n_snapshots: 0,
            last_seq,
            newest,
        })
    }

    fn take(&mut self, line: &[u8]) -> Result<(), Failure> {
        match Kind::of(line) {
            Ok(Kind::Snapshot) => match Line::parse(line) {
                Ok(Line::Snapshot(snapshot)) => self.take_snapshot(snapshot)?,
                _ => return Err(Failure::Damaged),
            },
            Ok(Kind::Header) if std::mem::replace(&mut self.has_header, true) => {}
            _ if !self.told.insert(self.hashes.hash_one(line)) => {}
            _ => self.file.write_all(line)?,
        }
        Ok(())
    }

    fn take_snapshot(&mut self, mut snapshot: Snapshot) -> io::Result<()> {
        // A crash of the recorder can leave snapshots twice; readers pass over the second.
        if self.last_seq.is_some_and(|last| snapshot.seq <= last) {
            return Ok(());
        }
        self.last_seq = Some(snapshot.seq);
        self.n_snapshots += 1;
        if let Some(dropped) = self.newest.take() {
            snapshot.inherit(dropped);
        }
        if self.n_kept == 0 || snapshot.epoch.stays(self.stride) {
            self.n_kept += 1;
            return write(&mut self.file, snapshot);
        }
        self.newest = Some(snapshot);
        Ok(())
    }

    /// Writes the newest snapshot where the next one that stays will stand.
    fn write_newest(&mut self) -> io::Result<()> {
        let kept_bytes = self.file.stream_position()?;
        if let Some(newest) = &self.newest {
            write(&mut self.file, newest.clone())?;
        }
        self.file.seek(SeekFrom::Start(kept_bytes)).map(drop)
    }
}

fn write(file: &mut impl Write, snapshot: Snapshot) -> io::Result<()> {
    let mut line = Vec::new();
    Line::Snapshot(snapshot).write_to(&mut line);
    file.write_all(&line)
}

fn identity(metadata: &fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

#[cfg(test)]
mod tests {
    use heaptide_analyze::Report;
    use heaptide_synthetic::{Born, Process};

    use super::*;
    use crate::judging::Judge;

    /// A leak, requests that end, a cache that is full, and what is there from the start.
    fn recording(n_snapshots: u32) -> Vec<u8> {
        let mut process = Process::of_snapshots(n_snapshots);
        process.site("leaks", |_| vec![Born::for_ever(3)]);
        process.site("requests", |_| vec![Born::living(20, 2)]);
        process.site("cache", |_| vec![Born::living(2, 40)]);
        process.site("config", |epoch| match epoch {
            0 => vec![Born::for_ever(100)],
            _ => Vec::new(),
        });
        process.recording()
    }

    fn snapshots(file: &Path) -> Vec<Snapshot> {
        let text = fs::read(file).expect("it is there");
        let lines = text.split_inclusive(|&byte| byte == b'\n').map(Line::parse);
        let snapshot = |line| match line {
            Ok(Line::Snapshot(snapshot)) => Some(snapshot),
            _ => None,
        };
        lines.filter_map(snapshot).collect()
    }

    fn judged(file: &Path) -> Report {
        Judge::by_default().judge(&[file.to_owned()]).expect("it can be read")
    }

    /// What a report of a thinned recording must say too.
    fn said(report: &Report) -> impl PartialEq + std::fmt::Debug + use<> {
        let findings = report.findings();
        let findings: Vec<_> =
            findings.map(|it| (it.id.clone(), it.class, it.confidence)).collect();
        let heaps: Vec<_> =
            report.runs.iter().map(|run| (run.heap, run.elapsed_ns, run.classes.clone())).collect();
        (report.outcome, findings, heaps, report.errors.clone())
    }

    /// Each snapshot of a long recording cost more to judge than the one before.
    #[test]
    fn a_long_recording_is_judged_by_a_copy_that_does_not_grow() -> anyhow::Result<()> {
        let dir = tempfile::tempdir()?;
        let (original, place) = (dir.path().join("rec.jsonl"), dir.path().join("copy.jsonl"));
        let whole = recording(1500);
        let mut copy = ThinnedCopy::new(&place)?;
        let mut written = 0;
        // In pieces that end in the middle of lines.
        for piece in whole.chunks(whole.len() / 41) {
            let mut file = File::options().create(true).append(true).open(&original)?;
            file.write_all(piece)?;
            written += piece.len() as u64;
            copy.bring_up_to_date(std::slice::from_ref(&original)).expect("it is whole");
            let read = copy.followed[0].n_bytes;
            assert!(read <= written && written - read < 4096, "{read} of {written}");
            let kept = snapshots(&place);
            assert!(kept.len() <= MOST_SNAPSHOTS + 1, "{}", kept.len());
            let newest = snapshots(&original).pop();
            assert_eq!(kept.last().map(|it| it.seq), newest.map(|it| it.seq));
            assert_eq!(kept.len(), copy.n_copied());
        }
        assert_eq!(copy.n_snapshots(), 1500);
        assert_eq!(said(&judged(&place)), said(&judged(&original)));
        let mut at_once = ThinnedCopy::new(&dir.path().join("at-once.jsonl"))?;
        at_once.bring_up_to_date(&[original]).expect("it is whole");
        assert_eq!(snapshots(at_once.path()), snapshots(&place), "whenever one looks");
        Ok(())
    }

    #[test]
    fn what_was_replaced_is_copied_anew_and_what_is_damaged_is_not() -> anyhow::Result<()> {
        let dir = tempfile::tempdir()?;
        let (first, second) = (dir.path().join("rec.jsonl"), dir.path().join("rec.001.jsonl"));
        let mut copy = ThinnedCopy::new(&dir.path().join("copy.jsonl"))?;
        let whole = recording(100);
        let mut copied = |files: &[&PathBuf]| {
            let files: Vec<PathBuf> = files.iter().map(|&file| file.clone()).collect();
            let done = copy.bring_up_to_date(&files);
            done.map(|()| snapshots(copy.path()).len()).map_err(|failure| format!("{failure:?}"))
        };
        fs::write(&first, &whole)?;
        assert_eq!(copied(&[&first]), Ok(100));
        // A segment that was thinned takes the place of the one that was there.
        fs::write(dir.path().join("thin"), recording(60))?;
        fs::rename(dir.path().join("thin"), &first)?;
        assert_eq!(copied(&[&first]), Ok(60));
        // The next segment opens with all that was said before.
        let header = whole.split_inclusive(|&byte| byte == b'\n').next().unwrap_or_default();
        let header = String::from_utf8_lossy(header).replace("\"segment\":0", "\"segment\":1");
        let rest = whole.split_inclusive(|&byte| byte == b'\n').skip(1);
        fs::write(&second, [header.into_bytes(), rest.collect::<Vec<_>>().concat()].concat())?;
        assert_eq!(copied(&[&second, &first]), Ok(100), "sixty of them are known");
        fs::remove_file(&second)?;
        assert_eq!(copied(&[&first]), Ok(60));
        fs::remove_file(&first)?;
        assert_eq!(copied(&[&first]), Ok(0));
        fs::write(&first, [&whole[..], b"{\"kind\":\"snapshot\",\"seq\":\"x\"}\n"].concat())?;
        assert_eq!(copied(&[&first]), Err("Damaged".to_owned()));
        Ok(())
    }
}
