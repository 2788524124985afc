//! Dropping snapshots of closed segments, evenly, without losing what their rows said.
//!
//! What is kept reads as if the dropped snapshots had never been taken ([`Snapshot::inherit`]).
//!
//! Segments that have become small are joined, because each opens with every site there is. The new
//! segment is written beside the old ones and takes the place of the first by a rename, so that a crash
//! leaves the old or the new. A crash before the others are removed leaves snapshots twice; readers
//! pass over the second (`docs/FORMAT.md`).

#![forbid(unsafe_code)]

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use heaptide_format::{Kind, Line, SiteId, SiteRow, Snapshot};

use super::disk;
use super::place::beside;

/// What is left of segments.
#[derive(Debug)]
pub(crate) struct Decimated {
    pub(crate) n_dropped: u64,
    pub(crate) bytes: u64,
}

/// Puts the snapshots of `segments`, in order of time, into the first of them: one in `stride`, a power of
/// two, and the last. Returned with the file, locked, so that no other process takes its
/// name as long as it is open.
///
/// # Errors
/// The system's, after which the segments are as they were.
pub(crate) fn decimate(segments: &[PathBuf], stride: u64) -> io::Result<(Decimated, File)> {
    let Some((first, others)) = segments.split_first() else {
        return Err(io::ErrorKind::NotFound.into());
    };
    let new = beside(first, ".thin");
    // Left by a process that was killed while it thinned.
    let _ = disk::remove(&new);
    let decimated = write_decimated(segments, stride, &new).and_then(|decimated| {
        disk::rename(&new, first)?;
        Ok(decimated)
    });
    if decimated.is_err() {
        let _ = disk::remove(&new);
    } else {
        // One that stays is passed over by readers.
        others.iter().for_each(|other| drop(disk::remove(other)));
    }
    decimated
}

fn write_decimated(segments: &[PathBuf], stride: u64, new: &Path) -> io::Result<(Decimated, File)> {
    let mut file = disk::create_new(new)?;
    let _ = file.try_lock();
    let mut sink = |line: &[u8]| disk::write_all(&mut file, line);
    let mut decimation = Decimation::new(stride, segments.len() > 1, &mut sink);
    for segment in segments {
        decimation.add(BufReader::with_capacity(READ_BYTES, File::open(segment)?))?;
    }
    let decimated = decimation.finish()?;
    disk::sync(&file)?;
    Ok((decimated, file))
}

/// Read in pieces that are large for a disk and small beside a segment.
const READ_BYTES: usize = 64 << 10;
/// Written in pieces, so that a line costs no call of its own.
const WRITE_BYTES: usize = 256 << 10;

/// Segments on their way into one.
struct Decimation<'a> {
    stride: u64,
    sink: &'a mut dyn FnMut(&[u8]) -> io::Result<()>,
    /// Not written yet.
    lines: Vec<u8>,
    n_dropped: u64,
    bytes: u64,
    /// The snapshot that is dropped, unless it is the last; with what those dropped before it said.
    held: Option<Snapshot>,
    n_segments: u32,
    /// What a later segment repeats; nothing if there is none.
    told: Option<Told>,
}

/// What the segments so far said of modules and sites.
#[derive(Default)]
struct Told {
    lines: HashSet<(u8, u32)>,
    /// Allocated, freed and resized so far: equal counts mean an equal row.
    counts: HashMap<SiteId, (u64, u64, u64)>,
}

impl<'a> Decimation<'a> {
    fn new(
        stride: u64,
        has_several: bool,
        sink: &'a mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> Self {
        let told = has_several.then(Told::default);
        let (lines, held) = (Vec::new(), None);
        Self { stride, sink, lines, n_dropped: 0, bytes: 0, held, n_segments: 0, told }
    }

    /// Goes on with the next segment.
    fn add(&mut self, mut segment: impl BufRead) -> io::Result<()> {
        self.n_segments += 1;
        let mut line = Vec::new();
        while {
            line.clear();
            segment.read_until(b'\n', &mut line)?
        } > 0
        {
            match Kind::of(&line) {
                Ok(Kind::Snapshot) => {
                    let Ok(Line::Snapshot(snapshot)) = Line::parse(&line) else { continue };
                    self.add_snapshot(snapshot)?;
                }
                Ok(Kind::Header) if self.n_segments > 1 => {}
                Ok(Kind::Site | Kind::Module) if self.is_told(&line) => {}
                _ => self.write(&line)?,
            }
        }
        Ok(())
    }

    /// Whether the line repeats what an earlier segment said.
    fn is_told(&mut self, line: &[u8]) -> bool {
        let Some(told) = &mut self.told else { return false };
        match Line::parse(line) {
            Ok(Line::Site(site)) => !told.lines.insert((0, site.id.0)),
            Ok(Line::Module(module)) => !told.lines.insert((1, module.id.0)),
            _ => false,
        }
    }

    fn add_snapshot(&mut self, mut snapshot: Snapshot) -> io::Result<()> {
        if let Some(told) = &mut self.told {
            snapshot.sites.retain(|row| told.is_news(row));
        }
        if let Some(dropped) = self.held.take() {
            self.n_dropped += 1;
            snapshot.inherit(dropped);
        }
        if is_kept(&snapshot, self.stride) {
            return self.write_snapshot(snapshot);
        }
        self.held = Some(snapshot);
        Ok(())
    }

    fn finish(mut self) -> io::Result<Decimated> {
        if let Some(last) = self.held.take() {
            self.write_snapshot(last)?;
        }
        (self.sink)(&self.lines)?;
        Ok(Decimated { n_dropped: self.n_dropped, bytes: self.bytes })
    }

    fn write_snapshot(&mut self, snapshot: Snapshot) -> io::Result<()> {
        let mut line = Vec::new();
        Line::Snapshot(snapshot).write_to(&mut line);
        self.write(&line)
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        self.bytes += line.len() as u64;
        self.lines.extend_from_slice(line);
        if self.lines.len() >= WRITE_BYTES {
            (self.sink)(&self.lines)?;
            self.lines.clear();
        }
        Ok(())
    }
}

/// Whether a snapshot stays at this stride: the first does, too.
fn is_kept(snapshot: &Snapshot, stride: u64) -> bool {
    snapshot.seq == 0 || snapshot.epoch.stays(stride)
}

impl Told {
    /// Whether the row says more than the site's last.
    fn is_news(&mut self, row: &SiteRow) -> bool {
        let counts = (row.allocs, row.frees, row.reallocs);
        let before = self.counts.insert(row.site, counts);
        before != Some(counts) || row.objects_range.is_some() || row.bytes_range.is_some()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use heaptide_format::{Epoch, Header};

    use super::*;

    fn row(site: u32, allocs: u64) -> SiteRow {
        SiteRow { allocs, live_objects: allocs, ..SiteRow::empty(SiteId(site)) }
    }

    fn snapshot(seq: u32, rows: &[(u32, u64)]) -> Snapshot {
        let sites = rows.iter().map(|&(site, allocs)| row(site, allocs)).collect();
        Snapshot { seq: seq.into(), epoch: Epoch(seq), sites, ..Snapshot::default() }
    }

    fn segment(snapshots: &[Snapshot]) -> Vec<u8> {
        let mut text = Vec::new();
        Line::Header(Header::default()).write_to(&mut text);
        for snapshot in snapshots {
            Line::Snapshot(snapshot.clone()).write_to(&mut text);
        }
        text
    }

    /// What `segments` hold when thinned by `stride`: snapshots after one header.
    fn check(segments: &[&[Snapshot]], stride: u64, n_dropped: u64, kept: &[Snapshot]) {
        let mut text = Vec::new();
        let mut sink = |bytes: &[u8]| {
            text.extend_from_slice(bytes);
            Ok(())
        };
        let mut decimation = Decimation::new(stride, segments.len() > 1, &mut sink);
        for snapshots in segments {
            decimation.add(&segment(snapshots)[..]).expect("in memory");
        }
        assert_eq!(decimation.finish().expect("in memory").n_dropped, n_dropped);
        assert_eq!(String::from_utf8(text), String::from_utf8(segment(kept)));
    }

    #[test]
    fn what_a_dropped_snapshot_said_moves_to_the_next() {
        let mut last = snapshot(3, &[(1, 9), (2, 8), (3, 7)]);
        // Site 2 was at 6 in the snapshot that went.
        last.sites[1].objects_range = Some((6, 8));
        let whole = [
            snapshot(0, &[(1, 1), (2, 1)]),
            snapshot(1, &[(2, 5)]),
            snapshot(2, &[(2, 6), (3, 7)]),
            snapshot(3, &[(1, 9), (2, 8)]),
        ];
        check(&[&whole], 1, 0, &whole);
        check(&[&whole], 2, 1, &[whole[0].clone(), whole[1].clone(), last]);
    }

    #[test]
    fn joined_segments_open_once() {
        let first = [snapshot(0, &[(1, 1), (2, 1)]), snapshot(1, &[(2, 5)])];
        // It opens with every site, of which only the first has changed.
        let second = [snapshot(2, &[(1, 2), (2, 5)]), snapshot(3, &[(2, 6)])];
        let joined =
            [first[0].clone(), first[1].clone(), snapshot(2, &[(1, 2)]), second[1].clone()];
        check(&[&first, &second], 1, 0, &joined);
    }
}
