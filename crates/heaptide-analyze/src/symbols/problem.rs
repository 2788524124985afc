//! Why names or lines are missing, in words that say what to do.

use std::fmt;
use std::path::PathBuf;

/// Something that kept a module's addresses from being named in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The file at the recorded path is another build.
    Mismatch {
        /// The module's path.
        module: PathBuf,
        /// Build id in the recording.
        recorded: String,
        /// Build id of the file; `None` if it has none.
        found: Option<String>,
    },
    /// No file with the module's build id was found.
    Missing {
        /// The module's path.
        module: PathBuf,
    },
    /// The recording holds no build id, so the file at the recorded path was not used.
    Unchecked {
        /// The module's path.
        module: PathBuf,
    },
    /// The file has symbols but no debug information.
    NoLines {
        /// The file.
        file: PathBuf,
    },
    /// The file has line tables, but no paths of functions that were inlined.
    LinesOnly {
        /// The file.
        file: PathBuf,
    },
    /// The file was stripped of all names.
    NoSymbols {
        /// The file.
        file: PathBuf,
    },
    /// The file could not be read as an executable.
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What was wrong.
        cause: String,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mismatch { module, recorded, found } => write!(
                f,
                "{}: refused for names: its build id is {}, the recording's is {recorded}: it was \
                 rebuilt since; give the recorded build with --symbol-path, or record again",
                module.display(),
                found.as_deref().unwrap_or("absent")
            ),
            Self::Missing { module } => write!(
                f,
                "{}: not found, so its functions have no names: give it with --symbol-path",
                module.display()
            ),
            Self::Unchecked { module } => write!(
                f,
                "{}: the recording has no build id for it, so what stands there now may be anything \
                 and was not used for names: give it with --symbol-path, or link with -Wl,--build-id",
                module.display()
            ),
            Self::NoLines { file } => write!(
                f,
                "{}: no debug information, so there are function names but no files and lines: \
                 build with `debug = 1` in the Cargo profile",
                file.display()
            ),
            Self::LinesOnly { file } => write!(
                f,
                "{}: line tables only, so inlined methods are named without their type: build with \
                 `debug = 1` in the Cargo profile",
                file.display()
            ),
            Self::NoSymbols { file } => write!(
                f,
                "{}: no symbols: it was stripped; give the file it was stripped from with \
                 --symbol-path, or build with `strip = false`",
                file.display()
            ),
            Self::Unreadable { file, cause } => write!(f, "{}: {cause}", file.display()),
        }
    }
}
