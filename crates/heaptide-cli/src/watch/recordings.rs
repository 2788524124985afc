//! Which recordings a run left in its directory.
//!
//! A directory may hold recordings of earlier runs, and the program may start children that
//! record too, so what counts is what was not there before, with a header of ours in its first
//! line.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::Context;
use heaptide_format::{Header, Kind, Line};

/// No header is longer; a first line without end is somebody else's.
const MOST_HEADER_BYTES: u64 = 1 << 16;
/// A child process with fewer is a helper that came and went.
const LEAST_SNAPSHOTS: u64 = 20;

/// A segment of a recording, and what its first line says.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) path: PathBuf,
    pub(crate) header: Header,
}

/// What a run left behind.
#[derive(Debug, Default)]
pub(crate) struct RunRecordings {
    /// Recordings to judge, the program's own first.
    pub(crate) judged: Vec<Segment>,
    /// Those among them without a snapshot.
    pub(crate) empty: Vec<Segment>,
    /// Recordings of other processes with too few snapshots to judge.
    pub(crate) too_short: Vec<Segment>,
}

impl RunRecordings {
    /// The files to judge.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        self.judged.iter().map(|segment| segment.path.clone()).collect()
    }
}

/// A directory for recordings, and what it held at first.
#[derive(Debug)]
pub(crate) struct OutDir {
    dir: PathBuf,
    before: BTreeSet<PathBuf>,
}

impl OutDir {
    /// Creates the directory if need be and remembers what is in it.
    pub(crate) fn open(dir: &Path) -> anyhow::Result<Self> {
        let cause = || format!("cannot keep recordings in {}", dir.display());
        fs::create_dir_all(dir).with_context(cause)?;
        let dir = dir.canonicalize().with_context(cause)?;
        let before = jsonl_files(&dir).with_context(cause)?;
        Ok(Self { dir, before })
    }

    /// Its absolute path: the program may change its working directory.
    pub(crate) fn path(&self) -> &Path {
        &self.dir
    }

    /// Segments that were not there before; those of process `first` first, then by process.
    pub(crate) fn new_segments(&self, first: u32) -> io::Result<Vec<Segment>> {
        let new = jsonl_files(&self.dir)?.into_iter().filter(|path| !self.before.contains(path));
        let mut segments: Vec<_> = new.filter_map(|path| segment(&path)).collect();
        segments.sort_by_key(|segment| {
            let Header { pid, start_unix_ns, segment, .. } = segment.header;
            (pid != first, pid, start_unix_ns, segment)
        });
        Ok(segments)
    }

    /// What a run left behind whose program had this process id. If the program itself did not
    /// record, its child with the most snapshots stands for it.
    pub(crate) fn recordings_of(&self, program: u32) -> io::Result<RunRecordings> {
        let mut recordings: BTreeMap<String, (u64, Vec<Segment>)> = BTreeMap::new();
        for segment in self.new_segments(program)? {
            let entry = recordings.entry(segment.header.recording.clone()).or_default();
            entry.0 += n_snapshots(&segment.path)?;
            entry.1.push(segment);
        }
        let mut recordings: Vec<_> = recordings.into_values().collect();
        recordings.sort_by_key(|(n_snapshots, segments)| {
            let header = segments.first().map(|segment| &segment.header);
            let (pid, start) = header.map_or((0, 0), |header| (header.pid, header.start_unix_ns));
            (pid != program, Reverse(*n_snapshots), pid, start)
        });
        let mut found = RunRecordings::default();
        for (n_snapshots, segments) in recordings {
            if n_snapshots == 0 && found.judged.is_empty() {
                found.empty.extend(segments.first().cloned());
            }
            if found.judged.is_empty() || n_snapshots >= LEAST_SNAPSHOTS {
                found.judged.extend(segments);
            } else {
                found.too_short.extend(segments);
            }
        }
        Ok(found)
    }
}

fn n_snapshots(path: &Path) -> io::Result<u64> {
    let mut lines = BufReader::new(File::open(path)?);
    let mut line = Vec::new();
    let mut n_snapshots = 0;
    while lines.read_until(b'\n', &mut line)? > 0 {
        n_snapshots += u64::from(Kind::of(&line) == Ok(Kind::Snapshot));
        line.clear();
    }
    Ok(n_snapshots)
}

/// The files in a directory that may be segments.
pub(crate) fn jsonl_files(dir: &Path) -> io::Result<BTreeSet<PathBuf>> {
    let paths = fs::read_dir(dir)?.map(|entry| Ok(entry?.path()));
    let is_jsonl = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "jsonl");
    paths.filter(|path| path.as_ref().map_or(true, is_jsonl)).collect()
}

/// The file as a segment, if its first line is complete and a header.
pub(crate) fn segment(path: &Path) -> Option<Segment> {
    let mut line = Vec::new();
    let file = File::open(path).ok()?;
    BufReader::new(file.take(MOST_HEADER_BYTES)).read_until(b'\n', &mut line).ok()?;
    match Line::parse(line.strip_suffix(b"\n")?) {
        Ok(Line::Header(header)) => Some(Segment { path: path.to_owned(), header }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header_of_pid(pid: u32) -> Vec<u8> {
        let mut line = Vec::new();
        Line::Header(Header { pid, recording: pid.to_string(), ..Header::default() })
            .write_to(&mut line);
        line
    }

    #[test]
    fn only_new_files_with_a_whole_header_count() -> anyhow::Result<()> {
        let dir = tempfile::tempdir()?;
        let write = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes);
        write("earlier.jsonl", &header_of_pid(1))?;
        let out = OutDir::open(dir.path())?;
        write("child.jsonl", &header_of_pid(7))?;
        write("main.jsonl", &header_of_pid(9))?;
        write("torn.jsonl", header_of_pid(9).trim_ascii_end())?;
        write("foreign.jsonl", b"{\"a\":1}\n")?;
        write("other.txt", &header_of_pid(9))?;
        let pids: Vec<_> = out.new_segments(9)?.iter().map(|segment| segment.header.pid).collect();
        assert_eq!(pids, [9, 7]);
        let found = out.recordings_of(9)?;
        assert_eq!(found.judged.len() + found.too_short.len(), 2);
        Ok(())
    }

    /// Writes a recording of process `pid` with so many snapshots.
    fn write(dir: &Path, pid: u32, n_snapshots: u64) -> io::Result<()> {
        let mut bytes = header_of_pid(pid);
        for seq in 0..n_snapshots {
            let snapshot = heaptide_format::Snapshot { seq, ..Default::default() };
            Line::Snapshot(snapshot).write_to(&mut bytes);
        }
        fs::write(dir.join(format!("{pid}.jsonl")), bytes)
    }

    #[test]
    fn children_are_judged_with_their_program() {
        // Process and snapshots of each recording; which are judged, left out, empty. The program
        // is process 5.
        type Pids = &'static [u32];
        let check = |recorded: &[(u32, u64)], judged: Pids, too_short: Pids, empty: Pids| {
            let dir = tempfile::tempdir().expect("there is room for a directory");
            let out = OutDir::open(dir.path()).expect("it is a directory");
            for &(pid, n_snapshots) in recorded {
                write(dir.path(), pid, n_snapshots).expect("it can be written to");
            }
            let found = out.recordings_of(5).expect("it can be read");
            let pids = |segments: &[Segment]| -> Vec<u32> {
                segments.iter().map(|segment| segment.header.pid).collect()
            };
            assert_eq!(pids(&found.judged), judged, "judged of {recorded:?}");
            assert_eq!(pids(&found.too_short), too_short, "left out of {recorded:?}");
            assert_eq!(pids(&found.empty), empty, "without snapshots of {recorded:?}");
            assert_eq!(found.paths().len(), judged.len());
        };
        check(&[], &[], &[], &[]);
        check(&[(5, 40)], &[5], &[], &[]);
        check(&[(5, 3)], &[5], &[], &[]);
        check(&[(5, 40), (4, 40), (6, 50)], &[5, 6, 4], &[], &[]);
        check(&[(5, 40), (6, LEAST_SNAPSHOTS), (7, LEAST_SNAPSHOTS - 1)], &[5, 6], &[7], &[]);
        check(&[(6, 3), (7, 9)], &[7], &[6], &[]);
        check(&[(5, 0)], &[5], &[], &[5]);
        check(&[(5, 0), (6, 40)], &[5, 6], &[], &[5]);
    }

    #[test]
    fn a_directory_that_cannot_be_one_is_named() {
        let said = OutDir::open(Path::new("/dev/null/rec")).map_err(|cause| cause.to_string());
        assert!(said.is_err_and(|said| said == "cannot keep recordings in /dev/null/rec"));
    }
}
