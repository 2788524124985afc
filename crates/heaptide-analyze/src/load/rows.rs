//! The second pass: the rows of the snapshots, one line in memory at a time.
//!
//! Nearly all bytes of a recording are rows. [`Cursor`] reads them where they stand as our writer
//! writes them; where they do not, the JSON parser reads the line, and says what is wrong.

use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use heaptide_format::{Error as LineError, SiteId, SiteRow};
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::cursor::Cursor;
use super::error::Error;
use super::scalars::{self, Scalars, malformed};
use super::scan::LineRef;

/// Goes to snapshot lines and reads them into one buffer.
#[derive(Debug, Default)]
pub(crate) struct SnapshotLines {
    open: Option<(PathBuf, File)>,
    buffer: Vec<u8>,
}

impl SnapshotLines {
    /// The line at `line_ref`, and its snapshot without the rows, if the same snapshot still stands
    /// there.
    pub(crate) fn read(
        &mut self,
        file: &Path,
        line_ref: &LineRef,
    ) -> Result<(&[u8], Scalars), Error> {
        let changed = || Error::Changed { file: file.to_owned(), place: line_ref.place };
        if self.open.as_ref().is_none_or(|(opened, _)| opened != file) {
            let opened = File::open(file).map_err(|err| Error::unreadable(file, &err))?;
            self.open = Some((file.to_owned(), opened));
        }
        self.buffer.resize(line_ref.n_bytes, 0);
        if let Some((_, opened)) = &mut self.open {
            let found = opened.seek(SeekFrom::Start(line_ref.place.byte));
            match found.and_then(|_| opened.read_exact(&mut self.buffer)) {
                Err(err) if err.kind() == ErrorKind::UnexpectedEof => return Err(changed()),
                read => read.map_err(|err| Error::unreadable(file, &err))?,
            }
        }
        match scalars::parse(&self.buffer) {
            Ok((scalars, _)) if scalars.seq == line_ref.seq => Ok((&self.buffer, scalars)),
            _ => Err(changed()),
        }
    }
}

/// Takes the rows of a line as they are parsed.
pub(crate) trait TakeRows {
    /// Whether a row of this site may come without its cohorts and its growth.
    fn skims(&self, _site: SiteId) -> bool {
        false
    }

    fn take(&mut self, row: &SiteRow);
}

impl<F: FnMut(&SiteRow)> TakeRows for F {
    fn take(&mut self, row: &SiteRow) {
        self(row);
    }
}

/// Hands over every row of a snapshot line, in the line's order, until the line is damaged. `rows`
/// is where they begin, if that was found.
pub(crate) fn each_row(
    line: &[u8],
    rows: Option<usize>,
    sink: &mut impl TakeRows,
) -> Result<(), LineError> {
    let mut n_taken = 0;
    if let Some(mut rows) = rows.and_then(|rows| Cursor::at(line, rows)) {
        let mut row = SiteRow::empty(SiteId(0));
        while rows.read(&mut row, |site| sink.skims(site)).is_some() {
            sink.take(&row);
            n_taken += 1;
        }
        if rows.is_at_end() {
            return Ok(());
        }
    }
    each_row_of_any_json(line, sink, n_taken)
}

/// The same wherever the rows stand and whatever they look like, after the first few.
fn each_row_of_any_json(
    line: &[u8],
    sink: &mut impl TakeRows,
    n_taken: usize,
) -> Result<(), LineError> {
    let rest = Rest { sink, n_taken };
    let mut deserializer = serde_json::Deserializer::from_slice(line);
    let read = deserializer.deserialize_map(SnapshotVisitor(rest));
    read.and_then(|()| deserializer.end()).map_err(|err| malformed(&err))
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Member {
    Sites,
    #[serde(other)]
    Other,
}

/// Rows after the first few, which have been taken.
struct Rest<'a, S> {
    sink: &'a mut S,
    n_taken: usize,
}

struct SnapshotVisitor<'a, S>(Rest<'a, S>);

impl<'de, S: TakeRows> Visitor<'de> for SnapshotVisitor<'_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a snapshot")
    }

    fn visit_map<M: MapAccess<'de>>(mut self, mut members: M) -> Result<(), M::Error> {
        let mut n_sites_members = 0;
        while let Some(member) = members.next_key()? {
            match member {
                Member::Sites => {
                    members.next_value_seed(&mut self.0)?;
                    n_sites_members += 1;
                }
                Member::Other => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        match n_sites_members {
            1 => Ok(()),
            _ => Err(M::Error::missing_field("sites")),
        }
    }
}

impl<'de, S: TakeRows> DeserializeSeed<'de> for &mut Rest<'_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, S: TakeRows> Visitor<'de> for &mut Rest<'_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the rows of a snapshot")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        while let Some(row) = rows.next_element::<SiteRow>()? {
            match self.n_taken {
                0 => self.sink.take(&row),
                _ => self.n_taken -= 1,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &[u8] = br#"{"kind":"snapshot","seq":1,"sites":[{"site":1,"allocs":20,"frees":8,"alloc_bytes":90,"freed_bytes":36,"reallocs":2,"live_objects":12,"live_bytes":54,"objects_range":[7,13],"bytes_range":[30,60],"cohorts":[[0,5,20],[3,7,34]],"largest_bytes":9,"growth":[{"epoch":0,"bytes":4},{"epoch":2,"bytes":9,"work":{"a}],[\"x":1}}],"last_free_ns":105,"objects_error":1.5,"bytes_error":0.25},{"site":2,"allocs":1,"frees":0,"alloc_bytes":18446744073709551615,"freed_bytes":0,"live_objects":1,"live_bytes":7}]}"#;

    /// The rows that came, and how it ended.
    type Read = (Vec<SiteRow>, Result<(), LineError>);

    /// Where the rows of [`LINE`] begin.
    const START: usize = 36;

    fn read(line: &[u8]) -> Read {
        let mut rows = Vec::new();
        let ended = each_row(line, Some(START), &mut |row: &SiteRow| rows.push(row.clone()));
        (rows, ended)
    }

    /// The same by the JSON parser alone.
    fn read_as_any_json(line: &[u8]) -> Read {
        let mut rows = Vec::new();
        let ended = each_row_of_any_json(line, &mut |row: &SiteRow| rows.push(row.clone()), 0);
        (rows, ended)
    }

    fn check(line: &[u8]) {
        assert_eq!(read(line), read_as_any_json(line), "{}", String::from_utf8_lossy(line));
    }

    #[test]
    fn the_cursor_reads_what_the_parser_reads() {
        assert!(LINE[..START].ends_with(b"\"sites\":["));
        let (rows, ended) = read(LINE);
        assert_eq!((rows.len(), ended), (2, Ok(())));
        let mut cursor = Cursor::at(LINE, START).expect("a place in the line");
        let mut row = SiteRow::empty(SiteId(0));
        while cursor.read(&mut row, |_| false).is_some() {}
        assert!(cursor.is_at_end(), "the parser read it");
        check(LINE);
    }

    #[test]
    fn damage_is_told_as_the_parser_tells_it() {
        for end in START..LINE.len() {
            check(&LINE[..end]);
        }
        for at in START..LINE.len() {
            for byte in *b"0 9,]}[{\"-.e\\\xff" {
                let mut line = LINE.to_vec();
                line[at] = byte;
                check(&line);
                line.insert(at, LINE[at]);
                check(&line);
            }
        }
    }

    #[test]
    fn a_row_that_is_skimmed_keeps_its_numbers() {
        struct Skim(Vec<SiteRow>);
        impl TakeRows for Skim {
            fn skims(&self, _: SiteId) -> bool {
                true
            }
            fn take(&mut self, row: &SiteRow) {
                self.0.push(row.clone());
            }
        }
        let mut skimmed = Skim(Vec::new());
        assert_eq!(each_row(LINE, Some(START), &mut skimmed), Ok(()));
        let (mut rows, _) = read(LINE);
        rows.iter_mut().for_each(|row| (row.cohorts, row.growth) = Default::default());
        assert_eq!(skimmed.0, rows);
    }
}
