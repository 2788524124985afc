//! `REC[@SEQ]`: which snapshot of which file.

use std::fmt;
use std::path::{Path, PathBuf};

/// A recording or dump, and perhaps one snapshot in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The file or directory.
    pub path: PathBuf,
    /// Sequence number; `None` for the last snapshot.
    pub seq: Option<u64>,
}

impl Location {
    /// Reads `REC` or `REC@SEQ`. A file whose own name ends in `@` and digits is taken as it is.
    pub fn parse(text: &str) -> Self {
        let whole = Self { path: PathBuf::from(text), seq: None };
        if whole.path.exists() {
            return whole;
        }
        let split = text.rsplit_once('@');
        match split.and_then(|(path, seq)| Some((path, seq.parse().ok()?))) {
            Some((path, seq)) => Self { path: Path::new(path).to_owned(), seq: Some(seq) },
            None => whole,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        match self.seq {
            Some(seq) => write!(f, "@{seq}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_number_stands_behind_the_last_at_sign() {
        for (text, path, seq) in [
            ("a.jsonl", "a.jsonl", None),
            ("a.jsonl@7", "a.jsonl", Some(7)),
            ("me@host/a.jsonl", "me@host/a.jsonl", None),
            ("me@host/a.jsonl@12", "me@host/a.jsonl", Some(12)),
            ("a@-1", "a@-1", None),
        ] {
            assert_eq!(Location::parse(text), Location { path: path.into(), seq }, "{text}");
        }
    }
}
