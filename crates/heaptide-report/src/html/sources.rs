//! What is known of the source besides names and lines: the text around a line, and where to look it up.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::forge::Forge;

/// Sources at hand; who reads them decides which files may be shown.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The text around a line, by file as the recording names it, and line.
    pub snippets: BTreeMap<(String, u32), Snippet>,
    /// Where the repository can be looked at, if that is known.
    pub repository: Option<Repository>,
}

/// A few lines of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Snippet {
    /// The number of the first one.
    pub first_line: u32,
    /// The lines, without their ends.
    pub lines: Vec<String>,
}

/// A working tree, and the forge that has it too.
#[derive(Clone, Debug)]
pub struct Repository {
    /// Its top directory.
    pub top: PathBuf,
    /// Where it came from.
    pub forge: Forge,
}

impl Repository {
    /// The address of a file of the working tree.
    pub(super) fn link(&self, file: &str) -> Option<String> {
        let below = file.strip_prefix(self.top.to_str()?)?.strip_prefix('/')?;
        let is_inside = below.split('/').all(|part| part != "..");
        is_inside.then(|| self.forge.file(below))
    }
}
