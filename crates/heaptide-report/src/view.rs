//! Who will look at the output: how wide, in which colours, and from which directory.

use std::path::PathBuf;

use anstyle::{AnsiColor, Style};
use heaptide_analyze::identity::NamedFrame;

use crate::escape::{Escaped, Terminal};

/// Whether escape sequences are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colour {
    /// Text alone.
    #[default]
    Plain,
    /// With ANSI escape sequences.
    Ansi,
}

/// What a writer must know of its reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Columns.
    pub width: usize,
    /// Colours.
    pub colour: Colour,
    /// Files below this directory are named relative to it.
    pub root: PathBuf,
}

impl Default for View {
    fn default() -> Self {
        Self { width: 80, colour: Colour::Plain, root: PathBuf::new() }
    }
}

// One style for each meaning, so that all outputs agree on what red is.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const DOUBTFUL: Style = AnsiColor::Yellow.on_default().bold();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(crate) const STRONG: Style = Style::new().bold();
pub(crate) const FAINT: Style = Style::new().dimmed();

impl View {
    pub(crate) fn paint(&self, style: Style, text: &str) -> Escaped<Terminal> {
        let text = Escaped::text(text);
        match self.colour {
            Colour::Plain => text,
            Colour::Ansi => text.painted(style),
        }
    }

    /// The file of a frame, relative to the root, or to the package where that lies elsewhere.
    pub(crate) fn file<'a>(&self, frame: &'a NamedFrame) -> Option<&'a str> {
        frame.file.as_deref().map(|file| from_package(self.relative(file)))
    }

    /// The same, of a frame whose file lies below the root.
    pub(crate) fn file_below_root<'a>(&self, frame: &'a NamedFrame) -> Option<&'a str> {
        let file = frame.file.as_deref().map(|file| self.relative(file))?;
        (!file.starts_with('/')).then_some(file)
    }

    /// A path, relative to the root where it lies below it.
    pub(crate) fn relative<'a>(&self, file: &'a str) -> &'a str {
        let root = self.root.to_str().filter(|root| !root.is_empty());
        let below = root.and_then(|root| file.strip_prefix(root)?.strip_prefix('/'));
        below.unwrap_or(file)
    }

    /// `src/session.rs:88`, as far as it is known.
    pub fn place(&self, frame: &NamedFrame) -> Option<String> {
        self.place_of(frame.file.as_deref(), frame.line)
    }

    /// The same for a file and a line.
    pub(crate) fn place_of(&self, file: Option<&str>, line: Option<u32>) -> Option<String> {
        let file = from_package(self.relative(file?));
        Some(match line {
            Some(line) => format!("{file}:{line}"),
            None => file.to_owned(),
        })
    }
}

/// What stands below Cargo's directories and the toolchain's: everybody has these elsewhere, and
/// nobody edits there.
fn from_package(file: &str) -> &str {
    let below = |dir: &str, n_parts: usize| {
        let after = &file[file.find(dir)? + dir.len()..];
        after.splitn(n_parts + 1, '/').nth(n_parts)
    };
    let found = below("/registry/src/", 1).or_else(|| below("/git/checkouts/", 2));
    found.or_else(|| below("/rustc/", 1)).unwrap_or(file)
}

/// A name and its place on one line, or below each other if that takes more than `width` columns:
/// what a terminal breaks cannot be copied.
pub(crate) fn name_and_place(
    name: &str,
    place: Option<&str>,
    below: &str,
    width: usize,
) -> Vec<String> {
    let Some(place) = place else { return vec![name.to_owned()] };
    let line = format!("{name}  {place}");
    match textwrap::core::display_width(&line) <= width {
        true => vec![line],
        false => vec![name.to_owned(), format!("{below}{place}")],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_from_the_root() {
        let view = View { root: "/home/me/shop".into(), ..View::default() };
        let check = |file: &str, line, expected: &str| {
            let frame = NamedFrame { file: Some(file.into()), line, ..NamedFrame::default() };
            assert_eq!(view.place(&frame).as_deref(), Some(expected));
        };
        check("/home/me/shop/src/main.rs", Some(8), "src/main.rs:8");
        check("/home/me/shopping/src/main.rs", None, "/home/me/shopping/src/main.rs");
        check("src/main.rs", Some(8), "src/main.rs:8");
        check("/c/registry/src/i-1/hyper-1.0.0/src/lib.rs", None, "hyper-1.0.0/src/lib.rs");
        check("/c/git/checkouts/post-0a/89ab/parcels/src/lib.rs", None, "parcels/src/lib.rs");
        check("/rustc/59ab/library/alloc/src/vec/mod.rs", None, "library/alloc/src/vec/mod.rs");
    }

    /// The terminal broke `from` into `fr` and `om`.
    #[test]
    fn a_place_without_room_stands_below() {
        let lines = |place, width| name_and_place("shop::login", place, "  ", width);
        assert_eq!(lines(Some("main.rs"), 20), ["shop::login  main.rs"]);
        assert_eq!(lines(Some("main.rs"), 19), ["shop::login", "  main.rs"]);
        assert_eq!(lines(None, 3), ["shop::login"]);
    }
}
