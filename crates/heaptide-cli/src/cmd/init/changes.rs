//! What is about to be written: shown as a difference first, then written.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use similar::TextDiff;

/// A file that is about to be written.
#[derive(Debug)]
pub(super) struct Change {
    path: PathBuf,
    /// `None` if it is new.
    old: Option<String>,
    new: String,
    is_script: bool,
}

impl Change {
    /// A file to make; `None` if there is one of that name.
    pub(super) fn new_file(path: PathBuf, text: &str) -> Option<Self> {
        let change = Self { path, old: None, new: text.to_owned(), is_script: false };
        (!change.path.exists()).then_some(change)
    }

    /// A file to run, likewise.
    pub(super) fn new_script(path: PathBuf, text: &str) -> Option<Self> {
        Self::new_file(path, text).map(|change| Self { is_script: true, ..change })
    }

    /// A file to edit; `None` if nothing in it changes.
    pub(super) fn edit(path: PathBuf, old: String, new: String) -> Option<Self> {
        (old != new).then_some(Self { path, old: Some(old), new, is_script: false })
    }

    /// As `diff -u` shows it, with names from `root`.
    pub(super) fn difference(&self, root: &Path) -> String {
        let name = self.path.strip_prefix(root).unwrap_or(&self.path).display().to_string();
        let (before, after) = match self.old {
            Some(_) => (format!("a/{name}"), format!("b/{name}")),
            None => ("/dev/null".to_owned(), format!("b/{name}")),
        };
        let old = self.old.as_deref().unwrap_or_default();
        TextDiff::from_lines(old, &self.new).unified_diff().header(&before, &after).to_string()
    }

    pub(super) fn write(&self) -> anyhow::Result<()> {
        self.write_file().with_context(|| format!("cannot write {}", self.path.display()))
    }

    fn write_file(&self) -> io::Result<()> {
        use std::os::unix::fs::PermissionsExt;

        if let Some(dir) = self.path.parent() {
            fs::create_dir_all(dir)?;
        }
        fs::write(&self.path, &self.new)?;
        match self.is_script {
            true => fs::set_permissions(&self.path, fs::Permissions::from_mode(0o755)),
            false => Ok(()),
        }
    }
}
