//! Where things stand in a policy file.

use std::fmt;

/// The text of a policy and the name of its file.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) file: String,
    text: String,
    /// Where lines begin: a policy may have thousands of entries, each with its place.
    line_starts: Vec<usize>,
}

/// A line and a column, from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Source {
    pub(super) fn of(text: &str) -> Self {
        let starts = text.match_indices('\n').map(|(newline, _)| newline + 1);
        let line_starts = std::iter::once(0).chain(starts).collect();
        Self { text: text.to_owned(), line_starts, ..Self::default() }
    }

    /// `heaptide.toml:12:8`; the name alone for what was written by no hand.
    pub(super) fn place<T>(&self, written: &toml::Spanned<T>) -> String {
        match written.span() {
            span if span.is_empty() => self.file.clone(),
            span => format!("{}:{}", self.file, self.place_at(span.start)),
        }
    }

    fn place_at(&self, at: usize) -> Place {
        let line = self.line_starts.partition_point(|start| *start <= at);
        let start = line.checked_sub(1).map_or(0, |before| self.line_starts[before]);
        let before = self.text.get(start..at).unwrap_or_default();
        Place { line: line.max(1), column: before.chars().count() + 1 }
    }
}

impl Default for Source {
    fn default() -> Self {
        Self { file: "heaptide.toml".into(), text: String::new(), line_starts: Vec::new() }
    }
}

impl Place {
    pub(super) fn of(text: &str, at: usize) -> Self {
        let before = text.get(..at.min(text.len())).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        Self { line, column: before[line_start..].chars().count() + 1 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}
