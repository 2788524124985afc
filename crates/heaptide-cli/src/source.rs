//! Where Heaptide is taken from: a git repository, or a checkout beside the project.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use toml_edit::InlineTable;

/// As `--source` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Git(String),
    Path(PathBuf),
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains("://") {
            return Ok(Self::Git(text.to_owned()));
        }
        let path = Path::new(text);
        match path.join("crates/heaptide/Cargo.toml").is_file() {
            true => path.canonicalize().map(Self::Path).map_err(|err| err.to_string()),
            false => Err("neither the address of a git repository nor a checkout of it".into()),
        }
    }
}

impl Source {
    /// The dependency on one of our crates, as it stands in a `Cargo.toml`.
    pub(crate) fn dependency(&self, name: &str) -> InlineTable {
        let mut table = InlineTable::new();
        match self {
            Self::Git(url) => table.insert("git", url.as_str().into()),
            Self::Path(path) => {
                let path = path.join("crates").join(name);
                table.insert("path", path.display().to_string().into())
            }
        };
        table
    }

    /// The command that installs the command.
    pub(crate) fn install(&self) -> String {
        match self {
            Self::Git(url) => format!("cargo install --locked --git {url} heaptide-cli"),
            Self::Path(path) => {
                format!("cargo install --locked --path {}/crates/heaptide-cli", path.display())
            }
        }
    }
}
