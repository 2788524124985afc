//! What can be wrong with one line of a recording.

use std::fmt;

/// Why a line could not be read. The caller knows the file and the line; this knows the cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// Not a JSON object with a known shape; the text says what was expected and the byte
    /// offset (from 0) inside the line where it failed.
    Malformed {
        /// What the parser expected or met.
        cause: String,
        /// Byte offset from the start of the line.
        column: usize,
    },
    /// A JSON object, but its first member is not `"kind"`: not a line of a recording.
    Foreign,
    /// A kind this version does not know; readers may skip such a line.
    UnknownKind(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { cause, column } => write!(f, "{cause} at byte {column} of the line"),
            Self::Foreign => f.write_str("not a line of a heaptide recording"),
            Self::UnknownKind(kind) => write!(f, "unknown kind of line `{kind}`"),
        }
    }
}

impl std::error::Error for Error {}
