//! One run: its timeline in memory, its rows on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use heaptide_format::{
    Error as LineError, Module, ModuleId, ModuleOffset, Name, Site, SiteId, SiteRow,
};

use super::error::{Cause, Error, Warning, Warnings};
use super::invariants::{self, Contradiction};
use super::rows::{SnapshotLines, TakeRows, each_row};
use super::scalars::{self, Scalars};
use super::scan::{Completeness, LineRef, Scanned, Segment};
use crate::timeline::Timeline;

/// One run of one process.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// Header and points.
    pub timeline: Timeline,
    /// Files it was read from, by segment.
    pub files: Vec<PathBuf>,
    /// Sites by id.
    pub sites: BTreeMap<SiteId, Site>,
    /// Modules by id.
    pub modules: BTreeMap<ModuleId, Module>,
    /// Names that stand in the recording itself; innermost inlined function first.
    pub names: BTreeMap<(ModuleId, ModuleOffset), Vec<Name>>,
    /// One for each point.
    line_refs: Vec<LineRef>,
    /// A line could not be read: what it held is in no sum.
    is_damaged: bool,
}

/// One snapshot with the current row of every site.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FullSnapshot {
    /// Everything but the rows.
    pub scalars: Scalars,
    /// The last row of every site seen so far; one that is older than this snapshot has no ranges.
    pub rows: BTreeMap<SiteId, SiteRow>,
}

impl Recording {
    pub(super) fn join(scanned: Scanned, warnings: &mut Warnings) -> Self {
        let Scanned { mut segments, modules, sites, names, .. } = scanned;
        segments.sort_by_key(|segment| segment.header.segment);
        let header = segments.first().map(|first| first.header.clone()).unwrap_or_default();
        let timeline = Timeline { header, points: Vec::new() };
        let (files, line_refs) = (Vec::new(), Vec::new());
        let is_damaged = segments.iter().any(|segment| segment.damage.is_some());
        let mut run = Self { timeline, files, sites, modules, names, line_refs, is_damaged };
        for segment in segments {
            run.append(segment, warnings);
        }
        run.warn_of_holes(warnings);
        run
    }

    fn append(&mut self, segment: Segment, warnings: &mut Warnings) {
        if self.files.last() != Some(&segment.file) {
            self.files.push(segment.file.clone());
        }
        for (scalars, line_ref) in segment.snapshots {
            let seq = scalars.seq;
            if self.timeline.points.last().is_some_and(|last| last.seq >= seq) {
                warnings.add(&segment.file, Some(line_ref.place), Cause::Repeated { seq });
                continue;
            }
            let itself = invariants::of_snapshot(&scalars);
            let point = scalars::into_point(scalars, self.timeline.header.start_mono_ns);
            let last = self.timeline.points.last();
            let wrong = itself.or_else(|| invariants::between(last?, &point));
            if let Some(wrong) = wrong {
                let cause = Cause::Contradiction(wrong);
                warnings.add(&segment.file, Some(line_ref.place), cause);
            }
            self.timeline.points.push(point);
            self.line_refs.push(LineRef { file: self.files.len() - 1, ..line_ref });
        }
    }

    fn warn_of_holes(&self, warnings: &mut Warnings) {
        let (Some(file), Some(last)) = (self.files.first(), self.timeline.points.last()) else {
            return;
        };
        let n_snapshots = last.seq.saturating_sub(self.timeline.points.len() as u64 - 1);
        let mut expected = (0..).zip(&self.timeline.points);
        if let Some((first, _)) = expected.find(|(seq, point)| point.seq != *seq) {
            warnings.add(file, None, Cause::Missing { n_snapshots, first });
        }
    }

    /// Index of the point with this sequence number; of the last point for `None`.
    ///
    /// # Errors
    /// [`Error::NoSnapshot`].
    pub fn point_index(&self, seq: Option<u64>) -> Result<usize, Error> {
        let points = &self.timeline.points;
        let found = match seq {
            Some(seq) => points.binary_search_by_key(&seq, |point| point.seq).ok(),
            None => points.len().checked_sub(1),
        };
        found.ok_or_else(|| self.no_snapshot(seq))
    }

    fn no_snapshot(&self, seq: Option<u64>) -> Error {
        let points = &self.timeline.points;
        Error::NoSnapshot {
            file: self.files.first().cloned().unwrap_or_default(),
            seq,
            held: points.first().zip(points.last()).map(|(first, last)| (first.seq, last.seq)),
        }
    }

    /// Hands over every row of every snapshot, with the index of its point, in order.
    ///
    /// A site without a row at a point stands as its last row says. A line damaged past its
    /// scalars gives the rows before the damage and a warning.
    ///
    /// # Errors
    /// [`Error::Unreadable`] if a file has gone, [`Error::Changed`] if it is not what it was.
    pub fn rows(&self, mut sink: impl FnMut(usize, &SiteRow)) -> Result<Vec<Warning>, Error> {
        self.rows_of(0..self.line_refs.len(), |k, row| sink(k, row))
    }

    /// Restores the snapshot at a point, each site with its last row.
    ///
    /// # Errors
    /// [`Error::NoSnapshot`] if there is no such point, and those of [`Recording::rows`].
    pub fn snapshot(&self, point: usize) -> Result<(FullSnapshot, Vec<Warning>), Error> {
        let line_ref = self.line_refs.get(point).ok_or_else(|| self.no_snapshot(None))?;
        let mut before = self.line_refs[..=point].iter();
        let from = before.rposition(|line_ref| line_ref.rows == Completeness::Every).unwrap_or(0);
        let mut rows = BTreeMap::new();
        let mut fresh = BTreeSet::new();
        let warnings = self.rows_of(from..point + 1, |k, row| {
            if k == point {
                fresh.insert(row.site);
            }
            rows.insert(row.site, row.clone());
        })?;
        for row in rows.values_mut().filter(|row| !fresh.contains(&row.site)) {
            (row.objects_range, row.bytes_range) = (None, None);
        }
        let mut lines = SnapshotLines::default();
        let (_, scalars) = lines.read(self.file_of(line_ref), line_ref)?;
        Ok((FullSnapshot { scalars, rows }, warnings))
    }

    fn rows_of(
        &self,
        points: Range<usize>,
        mut sink: impl FnMut(usize, &SiteRow),
    ) -> Result<Vec<Warning>, Error> {
        let mut warnings = Warnings::default();
        let mut lines = SnapshotLines::default();
        for k in points {
            if let Err(cause) = self.read_rows(&mut lines, k, &mut |row: &SiteRow| sink(k, row))? {
                self.warn_of_damage(k, cause, &mut warnings);
            }
        }
        Ok(warnings.into_vec())
    }

    /// Hands over the rows of one snapshot; the inner error is the damage that ended its line.
    pub(crate) fn read_rows(
        &self,
        lines: &mut SnapshotLines,
        k: usize,
        sink: &mut impl TakeRows,
    ) -> Result<Result<(), LineError>, Error> {
        let line_ref = &self.line_refs[k];
        let (line, _) = lines.read(self.file_of(line_ref), line_ref)?;
        Ok(each_row(line, line_ref.rows_at, sink))
    }

    /// Adds a warning that the line of this snapshot is damaged.
    pub(crate) fn warn_of_damage(&self, k: usize, cause: LineError, warnings: &mut Warnings) {
        let line_ref = &self.line_refs[k];
        let cause = Cause::Damaged(cause.to_string());
        warnings.add(self.file_of(line_ref), Some(line_ref.place), cause);
    }

    /// Adds a warning that this snapshot contradicts itself or what stands before it.
    pub(crate) fn warn_of(&self, k: usize, wrong: Contradiction, warnings: &mut Warnings) {
        let line_ref = &self.line_refs[k];
        let cause = Cause::Contradiction(wrong);
        warnings.add(self.file_of(line_ref), Some(line_ref.place), cause);
    }

    /// Whether every line could be read, so that the rows must add up to the heap.
    pub(crate) fn is_whole(&self) -> bool {
        !self.is_damaged
    }

    fn file_of(&self, line_ref: &LineRef) -> &Path {
        self.files.get(line_ref.file).map_or(Path::new(""), PathBuf::as_path)
    }
}
