//! The second pass: the rows of the snapshots, one line in memory at a time.

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use heaptide_format::SiteRow;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::error::Error;
use super::scan::Stand;

/// Goes to snapshot lines and reads them into one buffer.
#[derive(Debug, Default)]
pub(crate) struct SnapshotLines {
    open: Option<(PathBuf, File)>,
    buffer: Vec<u8>,
}

impl SnapshotLines {
    pub(crate) fn read(&mut self, file: &Path, stand: &Stand) -> Result<&[u8], Error> {
        if self.open.as_ref().is_none_or(|(opened, _)| opened != file) {
            let opened = File::open(file).map_err(|err| Error::unreadable(file, &err))?;
            self.open = Some((file.to_owned(), opened));
        }
        self.buffer.resize(stand.n_bytes, 0);
        if let Some((_, opened)) = &mut self.open {
            let found = opened.seek(SeekFrom::Start(stand.place.byte));
            found
                .and_then(|_| opened.read_exact(&mut self.buffer))
                .map_err(|err| Error::unreadable(file, &err))?;
        }
        Ok(&self.buffer)
    }
}

/// Calls `sink` for every row of a snapshot line, in the line's order, as it is parsed.
pub(crate) fn each_row(line: &[u8], sink: impl FnMut(&SiteRow)) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(line);
    deserializer.deserialize_map(SnapshotVisitor(sink))?;
    deserializer.end()
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Member {
    Sites,
    #[serde(other)]
    Other,
}

struct SnapshotVisitor<F>(F);

impl<'de, F: FnMut(&SiteRow)> Visitor<'de> for SnapshotVisitor<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a snapshot")
    }

    fn visit_map<M: MapAccess<'de>>(mut self, mut members: M) -> Result<(), M::Error> {
        let mut n_sites_members = 0;
        while let Some(member) = members.next_key()? {
            match member {
                Member::Sites => {
                    members.next_value_seed(Rows(&mut self.0))?;
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

struct Rows<'a, F>(&'a mut F);

impl<'de, F: FnMut(&SiteRow)> DeserializeSeed<'de> for Rows<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(&SiteRow)> Visitor<'de> for Rows<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the rows of a snapshot")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut rows: S) -> Result<(), S::Error> {
        while let Some(row) = rows.next_element::<SiteRow>()? {
            (self.0)(&row);
        }
        Ok(())
    }
}
