//! The first pass: headers, modules, sites, names and the scalars of every snapshot.
//!
//! Rows are skipped here. What is kept is one [`Point`](crate::timeline::Point) and one [`LineRef`]
//! per snapshot, so the second pass can go straight to each snapshot's line.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;
use std::path::{Path, PathBuf};

use heaptide_format::{
    Error as LineError, FORMAT_VERSION, Header, Kind, Line, Module, ModuleId, ModuleOffset, Name,
    Names, Site, SiteId,
};
use serde::Deserialize;

use super::error::{Cause, Error, Place, Warnings};
use super::foreign::looks_like;
use super::input::{Chosen, Input};
use super::lines::{Ending, Lines, RawLine};
use super::scalars::{self, Scalars};
use crate::limits::{MOST_FRAMES, MOST_MODULES, MOST_NAMES_PER_ADDRESS, MOST_SITES};

/// Where a snapshot's line stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LineRef {
    /// Index into the run's files.
    pub(crate) file: usize,
    pub(crate) place: Place,
    pub(crate) seq: u64,
    pub(crate) n_bytes: usize,
    /// Where in the line its rows begin, if that is known.
    pub(crate) rows_at: Option<usize>,
    /// Whether it surely has a row for every site: the first snapshot of an undamaged segment.
    pub(crate) rows: Completeness,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Completeness {
    Every,
    Changed,
}

/// The lines of one segment.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) header: Header,
    pub(crate) file: PathBuf,
    pub(crate) chosen: Chosen,
    pub(crate) snapshots: Vec<(Scalars, LineRef)>,
    /// The first damage, in words, with its place.
    pub(crate) damage: Option<String>,
}

/// What all segments of one recording hold together.
#[derive(Debug, Default)]
pub(crate) struct Scanned {
    pub(crate) segments: Vec<Segment>,
    pub(crate) modules: BTreeMap<ModuleId, Module>,
    pub(crate) sites: BTreeMap<SiteId, Site>,
    pub(crate) names: BTreeMap<(ModuleId, ModuleOffset), Vec<Name>>,
    /// Hashes of the lines that `sites` stand in.
    site_lines: HashSet<u64>,
}

/// All recordings found so far, in the order in which they were met.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    pub(crate) recordings: Vec<Scanned>,
    index_by_recording: BTreeMap<String, usize>,
    pub(crate) warnings: Warnings,
}

impl Scan {
    pub(crate) fn file(&mut self, input: &Input) -> Result<(), Error> {
        let mut lines = Lines::open(&input.file)?;
        let first = lines.next()?.ok_or_else(|| Error::Empty { file: input.file.clone() })?;
        let header = first_header(&input.file, &first)?;
        if input.chosen == Chosen::Beside
            && !self.index_by_recording.contains_key(&header.recording)
        {
            return Ok(());
        }
        let mut recording = self.begin_segment(header, input);
        while let Some(line) = lines.next()? {
            let is_known = self.recordings[recording].has_site(&line);
            if is_known || line.bytes.trim_ascii().is_empty() {
                continue;
            }
            match read_line(&line) {
                Ok(Content::Header(header)) => {
                    refuse_newer(&input.file, line.bytes)?;
                    recording = self.begin_segment(header, input);
                }
                Ok(Content::Snapshot(scalars, rows_at)) => {
                    self.recordings[recording].snapshot(scalars, rows_at, &line)
                }
                Ok(Content::Other(other)) => {
                    let recording = &mut self.recordings[recording];
                    recording.keep(other, line.bytes);
                    recording.check_size(&input.file)?;
                }
                Err(cause) => self.note(recording, &input.file, &line, &cause),
            }
        }
        Ok(())
    }

    fn begin_segment(&mut self, header: Header, input: &Input) -> usize {
        let index = match self.index_by_recording.entry(header.recording.clone()) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                self.recordings.push(Scanned::default());
                *new.insert(self.recordings.len() - 1)
            }
        };
        let (file, chosen) = (input.file.clone(), input.chosen);
        let segment = Segment { header, file, chosen, snapshots: Vec::new(), damage: None };
        self.recordings[index].segments.push(segment);
        index
    }

    fn note(&mut self, recording: usize, file: &Path, line: &RawLine<'_>, cause: &LineError) {
        let cause = match (cause, line.ending) {
            (LineError::UnknownKind(kind), _) => Cause::UnknownKind(kind.clone()),
            (_, Ending::EndOfFile) => Cause::Torn,
            (cause, Ending::LineFeed) => Cause::Damaged(cause.to_string()),
        };
        if let (Cause::Damaged(text), Some(segment)) =
            (&cause, self.recordings[recording].segments.last_mut())
        {
            let Place { line, byte } = line.place;
            segment.damage.get_or_insert_with(|| format!("line {line} (byte {byte}): {text}"));
        }
        self.warnings.add(file, Some(line.place), cause);
    }
}

impl Scanned {
    /// Whether it is a site's line that is known already: each segment repeats those of all
    /// sites so far, and parsing them takes longer than the rest of this pass.
    fn has_site(&self, line: &RawLine<'_>) -> bool {
        line.ending == Ending::LineFeed
            && line.bytes.starts_with(SITE)
            && self.site_lines.contains(&hash_of(line.bytes))
    }

    fn snapshot(&mut self, scalars: Scalars, rows_at: Option<usize>, line: &RawLine<'_>) {
        let Some(segment) = self.segments.last_mut() else { return };
        let rows = match segment.snapshots.is_empty() && segment.damage.is_none() {
            true => Completeness::Every,
            false => Completeness::Changed,
        };
        let (place, seq, n_bytes) = (line.place, scalars.seq, line.bytes.len());
        let line_ref = LineRef { file: 0, place, seq, n_bytes, rows_at, rows };
        segment.snapshots.push((scalars, line_ref));
    }

    fn check_size(&self, file: &Path) -> Result<(), Error> {
        let too_many = |what, most| Err(Error::TooMany { file: file.to_owned(), what, most });
        match () {
            () if self.sites.len() > MOST_SITES => too_many("call sites", MOST_SITES),
            () if self.modules.len() > MOST_MODULES => too_many("modules", MOST_MODULES),
            () => Ok(()),
        }
    }

    fn keep(&mut self, line: Line, bytes: &[u8]) {
        match line {
            Line::Module(module) => {
                self.modules.entry(module.id).or_insert(module);
            }
            Line::Site(site) => {
                self.sites.entry(site.id).or_insert(site);
                self.site_lines.insert(hash_of(bytes));
            }
            Line::Names(Names { module, offsets }) => {
                let named = offsets.into_iter().map(|named| ((module, named.offset), named.names));
                self.names.extend(named.filter(|(_, names)| !names.is_empty()));
            }
            Line::Header(_) | Line::Snapshot(_) => {}
        }
    }
}

/// How a site's line begins.
const SITE: &[u8] = b"{\"kind\":\"site\",";

fn hash_of(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

enum Content {
    Header(Header),
    Snapshot(Scalars, Option<usize>),
    Other(Line),
}

fn read_line(line: &RawLine<'_>) -> Result<Content, LineError> {
    if Kind::of(line.bytes)? == Kind::Snapshot {
        let (scalars, rows_at) = scalars::parse(line.bytes)?;
        return Ok(Content::Snapshot(scalars, rows_at));
    }
    Ok(match Line::parse(line.bytes)? {
        Line::Header(header) => Content::Header(header),
        other => {
            check_depth(&other)?;
            Content::Other(other)
        }
    })
}

/// No stack of the shim is so deep, and no compiler inlines so much.
fn check_depth(line: &Line) -> Result<(), LineError> {
    let (n, most, what) = match line {
        Line::Site(site) => (site.frames.len(), MOST_FRAMES, "frames in one stack"),
        Line::Names(names) => {
            let at_once = names.offsets.iter().map(|named| named.names.len()).max();
            (at_once.unwrap_or(0), MOST_NAMES_PER_ADDRESS, "functions at one address")
        }
        Line::Header(_) | Line::Module(_) | Line::Snapshot(_) => return Ok(()),
    };
    let cause = || format!("{n} {what}, of which at most {most} are read");
    if n > most { Err(LineError::Malformed { column: 0, cause: cause() }) } else { Ok(()) }
}

fn first_header(file: &Path, line: &RawLine<'_>) -> Result<Header, Error> {
    let no_header = |cause: String| Error::NoHeader { file: file.to_owned(), cause };
    match Kind::of(line.bytes) {
        Ok(Kind::Header) => {}
        Ok(other) => return Err(no_header(format!("it begins with a {} line", other.word()))),
        Err(LineError::UnknownKind(kind)) if kind != "dump" => {
            return Err(no_header(format!("it begins with a line of unknown kind `{kind}`")));
        }
        Err(_) => return Err(foreign(file)),
    }
    refuse_newer(file, line.bytes)?;
    match (Line::parse(line.bytes), line.ending) {
        (Ok(Line::Header(header)), _) => Ok(header),
        (_, Ending::EndOfFile) => Err(no_header("the only line is cut off".to_owned())),
        (Err(cause), _) => Err(no_header(cause.to_string())),
        (Ok(_), _) => Err(foreign(file)),
    }
}

/// A header of a later format may differ in all but this one member.
fn refuse_newer(file: &Path, line: &[u8]) -> Result<(), Error> {
    #[derive(Deserialize)]
    struct Version {
        format: u32,
    }
    match serde_json::from_slice(line) {
        Ok(Version { format }) if format > FORMAT_VERSION => {
            Err(Error::Newer { file: file.to_owned(), format })
        }
        _ => Ok(()),
    }
}

fn foreign(file: &Path) -> Error {
    let mut beginning = Vec::new();
    let opened = std::fs::File::open(file);
    let read = opened.and_then(|opened| opened.take(512).read_to_end(&mut beginning));
    match read {
        Ok(_) => Error::Foreign { file: file.to_owned(), looks_like: looks_like(&beginning) },
        Err(err) => Error::unreadable(file, &err),
    }
}
