//! The files of a recording: segments, and a cap on their total size that keeps the whole run.
//!
//! The first segment has the name that was asked for, the next ones a number before the ending:
//! `shop.jsonl`, `shop.001.jsonl`, `shop.002.jsonl`. Every segment can be read alone.
//!
//! When the cap is reached, closed segments lose snapshots: at first every second, later three of four,
//! and so on, those that lost least first. So the snapshots that are left lie evenly over the run, within
//! a factor of two, but for the segment being written, which has them all.

#![forbid(unsafe_code)]

use std::io;
use std::path::{Path, PathBuf};

use heaptide_format::{Header, Line};

use super::decimate::decimate;
use super::error::Error;
use super::file::{NameGuard, SegmentFile, Stream, Unwritten};
use super::place::{Place, segment_path};

/// How large the files of a recording may become.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// One segment.
    pub(crate) segment_bytes: u64,
    /// All of them together.
    pub(crate) total_bytes: u64,
}

/// A segment opens with every site there is, which later snapshots need not repeat. It is as large as so
/// many openings, so that at most a quarter of what is written is repetition.
const OPENINGS_PER_SEGMENT: u64 = 4;
/// The cap has room for so many segments, so that there is something to thin.
const SEGMENTS_PER_TOTAL: u64 = 4;

/// Where a recording goes.
#[derive(Debug)]
pub(crate) enum Output {
    Segments(Segments),
    Stream(Stream),
}

impl Output {
    /// Makes the file that `output` names, with its header.
    pub(crate) fn create(output: &Path, header: &Header, limits: Limits) -> Result<Self, Error> {
        let mut shown = output.to_owned();
        let mut open = || {
            let line = header_line(header);
            match Place::of(output, header)? {
                Place::Stream(path) => Stream::open(&path, &line).map(Self::Stream),
                Place::File(path) => {
                    shown.clone_from(&path);
                    let current = SegmentFile::create(&path, header.pid, &line)?;
                    Ok(Self::Segments(Segments::new(current, header.pid, limits)))
                }
            }
        };
        let opened = open();
        opened.map_err(|source| Error::Output { path: shown, source })
    }

    /// Whether the segment has no snapshot yet, so that the next must have every site.
    pub(crate) fn needs_everything(&self) -> bool {
        match self {
            Self::Segments(segments) => !segments.is_begun,
            Self::Stream(_) => false,
        }
    }

    /// Whether the segment is full.
    pub(crate) fn wants_new_segment(&self) -> bool {
        matches!(self, Self::Segments(segments) if segments.is_full())
    }

    /// Begins the next segment, whose header is `header` with the segment's number.
    ///
    /// # Errors
    /// The system's; then the one being written goes on.
    pub(crate) fn next_segment(&mut self, header: &mut Header) -> io::Result<()> {
        match self {
            Self::Segments(segments) => segments.next(header),
            Self::Stream(_) => Ok(()),
        }
    }

    /// Appends the lines of one snapshot.
    pub(crate) fn append(&mut self, lines: &[u8]) -> Result<(), Unwritten> {
        match self {
            Self::Segments(segments) => Ok(segments.append(lines)?),
            Self::Stream(stream) => stream.append(lines),
        }
    }

    /// Waits until everything is on disk.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        match self {
            Self::Segments(segments) => segments.current.sync(),
            // A pipe or a device cannot be synchronised.
            Self::Stream(_) => Ok(()),
        }
    }

    /// Snapshots that were removed, to keep under the cap.
    pub(crate) fn n_dropped(&self) -> u64 {
        match self {
            Self::Segments(segments) => segments.n_dropped,
            Self::Stream(_) => 0,
        }
    }
}

/// The segments of a recording.
#[derive(Debug)]
pub(crate) struct Segments {
    first: PathBuf,
    pid: u32,
    number: u32,
    current: SegmentFile,
    /// Whether the current segment has a snapshot.
    is_begun: bool,
    /// Bytes of a segment up to and with its first snapshot, which has every site, as of the last one.
    opening_bytes: u64,
    /// Bytes of the last snapshot: the next is about as large.
    last_bytes: u64,
    /// If the next segment could not be begun: when to try again.
    retry_at_bytes: u64,
    /// Earlier segments, in order of time.
    closed: Vec<Closed>,
    /// Of the first segment, once it is closed: whoever wants its name gets another, and other names with
    /// it for later segments.
    first_name: NameGuard,
    n_appended: u64,
    n_dropped: u64,
    limits: Limits,
}

#[derive(Debug)]
struct Closed {
    path: PathBuf,
    bytes: u64,
    /// It has one in so many of its snapshots.
    stride: u64,
}

impl Segments {
    fn new(current: SegmentFile, pid: u32, limits: Limits) -> Self {
        Self {
            first: current.path().to_owned(),
            pid,
            number: 0,
            current,
            is_begun: false,
            opening_bytes: 0,
            last_bytes: 0,
            retry_at_bytes: 0,
            closed: Vec::new(),
            first_name: NameGuard::default(),
            n_appended: 0,
            n_dropped: 0,
            limits,
        }
    }

    /// How large a segment may become: what was asked for, unless that is little more than its opening,
    /// and never so much that the cap has no room for others.
    fn segment_bytes(&self) -> u64 {
        let asked = self.limits.segment_bytes.min(self.limits.total_bytes / SEGMENTS_PER_TOTAL);
        let openings = self.opening_bytes.saturating_mul(OPENINGS_PER_SEGMENT);
        asked.max(openings.min(self.limits.total_bytes / 2))
    }

    fn is_full(&self) -> bool {
        let next = self.current.written() + self.last_bytes;
        self.is_begun && next > self.segment_bytes().max(self.retry_at_bytes)
    }

    fn next(&mut self, header: &mut Header) -> io::Result<()> {
        let segment_bytes = self.segment_bytes();
        let begun = self.current.sync().and_then(|()| {
            header.segment = self.number + 1;
            let path = segment_path(&self.first, header.segment);
            SegmentFile::create(&path, self.pid, &header_line(header))
        });
        let next = match begun {
            Ok(next) => next,
            Err(err) => {
                header.segment = self.number;
                self.retry_at_bytes = self.current.written() + segment_bytes / 8;
                return Err(err);
            }
        };
        let full = std::mem::replace(&mut self.current, next);
        self.number += 1;
        (self.is_begun, self.retry_at_bytes) = (false, 0);
        let (path, bytes) = (full.path().to_owned(), full.written());
        if self.closed.is_empty() && path == self.first {
            self.first_name = full.into_name_guard();
        }
        self.closed.push(Closed { path, bytes, stride: 1 });
        self.align_newest();
        // What cannot be thinned now can be the next time.
        self.make_room(segment_bytes);
        Ok(())
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let bytes = self.current.written() + lines.len() as u64;
        self.make_room(bytes);
        if self.closed_bytes() + bytes > self.limits.total_bytes {
            let (total_bytes, more) = (self.limits.total_bytes, lines.len());
            return Err(io::Error::new(
                io::ErrorKind::QuotaExceeded,
                format!(
                    "{more} bytes more are over the recording's limit of {total_bytes} bytes in all, \
                     and nothing is left to thin"
                ),
            ));
        }
        self.current.append(lines)?;
        self.last_bytes = lines.len() as u64;
        self.n_appended += 1;
        if !self.is_begun {
            self.is_begun = true;
            self.opening_bytes = self.current.written();
        }
        Ok(())
    }

    fn closed_bytes(&self) -> u64 {
        self.closed.iter().map(|closed| closed.bytes).sum()
    }

    /// Thins the segment that was just closed as those before it are.
    fn align_newest(&mut self) {
        let (Some(newest), Some(before)) = (self.closed.len().checked_sub(1), self.least_stride())
        else {
            return;
        };
        if before > 1 {
            // It has all its snapshots until it can be thinned.
            let _ = self.decimate(newest, before);
        }
    }

    /// The smallest stride of the segments before the newest.
    fn least_stride(&self) -> Option<u64> {
        let (_, before) = self.closed.split_last()?;
        before.iter().map(|closed| closed.stride).min()
    }

    /// Thins closed segments until `bytes` more have room under the cap: of those that lost least the
    /// oldest first.
    fn make_room(&mut self, bytes: u64) {
        let room = self.limits.total_bytes.saturating_sub(bytes);
        while self.closed_bytes() > room {
            let least = self.closed.iter().enumerate().min_by_key(|(_, closed)| closed.stride);
            let Some((at, stride)) = least.map(|(at, closed)| (at, closed.stride)) else { return };
            // From there on each segment has but its last snapshot.
            if stride > self.n_appended.saturating_mul(2) || self.decimate(at, stride * 2).is_err()
            {
                return;
            }
        }
    }

    /// Thins a closed segment, and joins it to the one before if both together are no larger than one.
    fn decimate(&mut self, at: usize, stride: u64) -> io::Result<()> {
        let before = at.checked_sub(1).and_then(|before| self.closed.get(before));
        let most_bytes = self.segment_bytes();
        let joins = before.is_some_and(|before| {
            before.stride == stride && before.bytes + self.closed[at].bytes / 2 <= most_bytes
        });
        let from = if joins { at - 1 } else { at };
        let paths: Vec<_> =
            self.closed[from..=at].iter().map(|closed| closed.path.clone()).collect();
        let (decimated, file) = decimate(&paths, stride)?;
        if paths[0] == self.first {
            self.first_name = NameGuard::of(file);
        }
        self.n_dropped += decimated.n_dropped;
        self.closed[from].bytes = decimated.bytes;
        self.closed[from].stride = stride;
        self.closed.drain(from + 1..=at);
        Ok(())
    }
}

fn header_line(header: &Header) -> Vec<u8> {
    let mut line = Vec::new();
    Line::Header(header.clone()).write_to(&mut line);
    line
}
