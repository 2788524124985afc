//! Why a recording could not start, go on or end.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::path::PathBuf;

/// What went wrong. The program itself is unharmed in every case.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A recording already runs in this process; finish it first.
    AlreadyRecording,
    /// This program does not allocate through [`crate::Heaptide`].
    NotInstalled,
    /// The process was started with `HEAPTIDE_MODE=off`.
    Off,
    /// The path cannot be written.
    Output {
        /// The path as it was resolved.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A setting that cannot be; the text says which and why.
    Config(String),
    /// No memory, thread or descriptor left.
    Resources(io::Error),
    /// A snapshot could not be written; the recording goes on.
    Write(io::Error),
    /// The recording ended, or belongs to the process this one was forked from.
    Ended,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyRecording => {
                f.write_str("a recording already runs in this process; finish it first")
            }
            Self::NotInstalled => f.write_str(
                "heaptide is not this program's allocator; add `#[global_allocator] static HEAP: \
                 heaptide::Heaptide = heaptide::Heaptide::new();` to its main.rs",
            ),
            Self::Off => f.write_str("recording is off for this process (HEAPTIDE_MODE=off)"),
            Self::Output { path, source } => {
                write!(f, "cannot write the recording {}: {source}", path.display())
            }
            Self::Config(what) => f.write_str(what),
            Self::Resources(source) => write!(f, "cannot start the recorder: {source}"),
            Self::Write(source) => write!(f, "cannot write a snapshot: {source}"),
            Self::Ended => f.write_str("the recording has ended"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Output { source, .. } | Self::Resources(source) | Self::Write(source) => {
                Some(source)
            }
            _ => None,
        }
    }
}
