//! Lines: one JSON object each, its kind first.
//!
//! The writer always puts `"kind"` first and writes no space before its value, so a reader can
//! tell what a line is, and skip it, without parsing the rest.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::header::Header;
use crate::module::{Module, Names};
use crate::site::Site;
use crate::snapshot::Snapshot;

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// [`Header`]
    Header,
    /// [`Module`]
    Module,
    /// [`Names`]
    Names,
    /// [`Site`]
    Site,
    /// [`Snapshot`]
    Snapshot,
}

impl Kind {
    const ALL: [(Self, &str); 5] = [
        (Self::Header, "header"),
        (Self::Module, "module"),
        (Self::Names, "names"),
        (Self::Site, "site"),
        (Self::Snapshot, "snapshot"),
    ];

    /// The word in the file.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, word)| word)
    }

    /// The kind of a line, read from its first few bytes.
    ///
    /// # Errors
    /// [`Error::Foreign`] if the first member is not `"kind"`, [`Error::UnknownKind`] if its value
    /// is not one of ours.
    pub fn of(line: &[u8]) -> Result<Self, Error> {
        let rest = line.trim_ascii_start().strip_prefix(b"{").ok_or(Error::Foreign)?;
        let rest = rest.trim_ascii_start().strip_prefix(b"\"kind\"").ok_or(Error::Foreign)?;
        let rest = rest.trim_ascii_start().strip_prefix(b":").ok_or(Error::Foreign)?;
        let rest = rest.trim_ascii_start().strip_prefix(b"\"").ok_or(Error::Foreign)?;
        let end = rest.iter().position(|&byte| byte == b'"').ok_or(Error::Foreign)?;
        let word = String::from_utf8_lossy(&rest[..end]);
        let known = Self::ALL.iter().find(|(_, known)| *known == word);
        known.map(|(kind, _)| *kind).ok_or_else(|| Error::UnknownKind(word.into_owned()))
    }
}

/// One line of a recording.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// The first line of a segment.
    Header(Header),
    /// A loaded module.
    Module(Module),
    /// Names of addresses.
    Names(Names),
    /// A call site.
    Site(Site),
    /// A snapshot.
    Snapshot(Snapshot),
}

impl Line {
    /// Reads one line, with or without its line feed. Unknown members are ignored.
    ///
    /// # Errors
    /// See [`Error`]; its column counts bytes from the start of `line`.
    pub fn parse(line: &[u8]) -> Result<Self, Error> {
        Ok(match Kind::of(line)? {
            Kind::Header => Self::Header(from_json(line)?),
            Kind::Module => Self::Module(from_json(line)?),
            Kind::Names => Self::Names(from_json(line)?),
            Kind::Site => Self::Site(from_json(line)?),
            Kind::Snapshot => Self::Snapshot(from_json(line)?),
        })
    }

    /// Appends the line and a line feed to `out`.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        match self {
            Self::Header(header) => append(out, Kind::Header, header),
            Self::Module(module) => append(out, Kind::Module, module),
            Self::Names(names) => append(out, Kind::Names, names),
            Self::Site(site) => append(out, Kind::Site, site),
            Self::Snapshot(snapshot) => append(out, Kind::Snapshot, snapshot),
        }
    }
}

fn from_json<T: DeserializeOwned>(line: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(line)
        .map_err(|err| Error::Malformed { column: err.column(), cause: cause_of(&err) })
}

/// The parser's own words without its "at line 1 column N": the caller says where.
fn cause_of(err: &serde_json::Error) -> String {
    let text = err.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(cause, _)| cause.to_owned())
}

fn append(out: &mut Vec<u8>, kind: Kind, body: &impl Serialize) {
    #[derive(Serialize, Deserialize)]
    struct Opening<'a> {
        kind: &'a str,
    }
    // Both are plain structs with string keys: writing them to a Vec cannot fail.
    let opened = serde_json::to_writer(&mut *out, &Opening { kind: kind.word() });
    let end_of_opening = out.len();
    let written = opened.and_then(|()| serde_json::to_writer(&mut *out, body));
    debug_assert!(written.is_ok(), "{written:?}");
    join_objects(out, end_of_opening);
    out.push(b'\n');
}

/// Turns `{"a":1}{"b":2}` into `{"a":1,"b":2}`, the second object starting at `seam`.
fn join_objects(out: &mut Vec<u8>, seam: usize) {
    out[seam - 1] = b',';
    out.remove(seam);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kind_comes_first() {
        let mut out = Vec::new();
        Line::Header(Header::default()).write_to(&mut out);
        assert!(out.starts_with(b"{\"kind\":\"header\",\"format\":0,"));
        assert!(out.ends_with(b"}\n"));
        assert_eq!(Line::parse(&out), Ok(Line::Header(Header::default())));
    }

    #[test]
    fn foreign_and_unknown_lines_are_told_apart() {
        assert_eq!(Line::parse(b"hello"), Err(Error::Foreign));
        assert_eq!(Line::parse(b"{\"a\":1}"), Err(Error::Foreign));
        assert_eq!(Line::parse(b"{\"kind\":\"later\"}"), Err(Error::UnknownKind("later".into())));
    }

    #[test]
    fn a_torn_line_says_where_it_ends() {
        let Err(Error::Malformed { column, .. }) = Line::parse(b"{\"kind\":\"site\",\"id\":1,")
        else {
            panic!("a torn line was read");
        };
        assert_eq!(column, 22);
    }
}
