//! The files that git tracks, as text.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use ci::program::{output, program};

/// A tracked file that holds text.
pub(crate) struct File {
    /// From the top of the checkout.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    /// The file as a complaint names it.
    pub(crate) fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.path)
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Name without folders and extension.
    pub(crate) fn stem(&self) -> &str {
        Path::new(&self.path).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default()
    }
}

/// All text files of the checkout whose top is `root`: those in git, and those not ignored.
pub(crate) fn tracked(root: &Path) -> Result<Vec<File>> {
    let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let paths = output(program("git", &list).current_dir(root))
        .with_context(|| format!("git lists no files in {}", root.display()))?;
    let mut files = Vec::new();
    for path in paths.split_terminator('\0') {
        // A file that was deleted and not yet committed is listed, and is no text either.
        if let Ok(text) = fs::read_to_string(root.join(path)) {
            files.push(File { path: path.to_owned(), text });
        }
    }
    Ok(files)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::File;

    pub(crate) fn file(path: &str, text: &str) -> File {
        File { path: path.to_owned(), text: text.to_owned() }
    }
}
