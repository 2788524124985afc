//! What a reader of recordings tells its caller: errors that end it, warnings that do not.

use std::fmt;
use std::path::{Path, PathBuf};

use heaptide_format::FORMAT_VERSION;

use super::invariants::Contradiction;
use crate::limits::MOST_LINE_BYTES;

/// Why a recording (or dump) could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The operating system refused.
    Unreadable {
        /// The file or directory.
        file: PathBuf,
        /// What the operating system said.
        cause: String,
    },
    /// The file has no bytes.
    Empty {
        /// The file.
        file: PathBuf,
    },
    /// The file is something else.
    Foreign {
        /// The file.
        file: PathBuf,
        /// What it seems to be.
        looks_like: &'static str,
    },
    /// The writer was newer than this reader.
    Newer {
        /// The file.
        file: PathBuf,
        /// Its format version.
        format: u32,
    },
    /// The first line is not a whole header.
    NoHeader {
        /// The file.
        file: PathBuf,
        /// What stands there instead.
        cause: String,
    },
    /// There is a header, but every snapshot is damaged.
    NothingLeft {
        /// The file.
        file: PathBuf,
        /// The first damage, with its place.
        damage: String,
    },
    /// A line is longer than any that is read.
    LineTooLong {
        /// The file.
        file: PathBuf,
        /// Line number, from 1.
        line: u64,
    },
    /// There is more of something than is read.
    TooMany {
        /// The file.
        file: PathBuf,
        /// Of what.
        what: &'static str,
        /// How much is read at most.
        most: usize,
    },
    /// A directory without recordings.
    NoRecordings {
        /// The directory.
        dir: PathBuf,
    },
    /// One run was asked for, and there are several.
    SeveralRuns {
        /// What was asked for.
        path: PathBuf,
        /// How many runs it holds.
        n_runs: usize,
    },
    /// The snapshot that was asked for is not in the recording.
    NoSnapshot {
        /// The file.
        file: PathBuf,
        /// The sequence number asked for; `None` for "the last".
        seq: Option<u64>,
        /// First and last sequence number that are there.
        held: Option<(u64, u64)>,
    },
    /// The file is not what it was when its lines were looked for.
    Changed {
        /// The file.
        file: PathBuf,
        /// Where a snapshot stood.
        place: Place,
    },
    /// The operating system gave no thread to read with.
    NoThread {
        /// What it said.
        cause: String,
    },
    /// A dump that does not fit its format.
    BadDump {
        /// The file.
        file: PathBuf,
        /// What the parser said, with line and column.
        cause: String,
    },
}

impl Error {
    pub(crate) fn unreadable(file: &Path, cause: &std::io::Error) -> Self {
        Self::Unreadable { file: file.to_owned(), cause: cause.to_string() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { file, cause } => write!(f, "{}: {cause}", file.display()),
            Self::Empty { file } => write!(
                f,
                "{}: the file is empty: nothing was recorded, or the recording was cut off",
                file.display()
            ),
            Self::Foreign { file, looks_like } => {
                write!(f, "{}: not a heaptide recording: this is {looks_like}", file.display())
            }
            Self::Newer { file, format } => write!(
                f,
                "{}: written by a newer heaptide (format {format}; this one reads up to \
                 {FORMAT_VERSION}): upgrade",
                file.display()
            ),
            Self::NoHeader { file, cause } => {
                write!(f, "{}:1 (byte 0): no header, {cause}: record again", file.display())
            }
            Self::NothingLeft { file, damage } => {
                write!(f, "{}: no snapshot is readable; first damage: {damage}", file.display())
            }
            Self::LineTooLong { file, line } => write!(
                f,
                "{}:{line}: a line of more than {MOST_LINE_BYTES} bytes: not written by heaptide",
                file.display()
            ),
            Self::TooMany { file, what, most } => write!(
                f,
                "{}: more than {most} {what}, which is more than the shim writes: record again, or read \
                 the segments of this recording one by one",
                file.display()
            ),
            Self::NoRecordings { dir } => {
                write!(f, "{}: no recording (*.jsonl) in this directory", dir.display())
            }
            Self::SeveralRuns { path, n_runs } => write!(
                f,
                "{}: holds {n_runs} runs where one is needed: name one file",
                path.display()
            ),
            Self::NoSnapshot { file, seq, held } => no_snapshot(f, file, *seq, *held),
            Self::Changed { file, place: Place { line, byte } } => write!(
                f,
                "{}:{line} (byte {byte}): the file was replaced or cut while it was read: \
                 read it again",
                file.display()
            ),
            Self::NoThread { cause } => {
                write!(f, "cannot start a thread to read with ({cause}): ask for one thread")
            }
            Self::BadDump { file, cause } => {
                write!(f, "{}: not a dump that this heaptide can read: {cause}", file.display())
            }
        }
    }
}

fn no_snapshot(
    f: &mut fmt::Formatter<'_>,
    file: &Path,
    seq: Option<u64>,
    held: Option<(u64, u64)>,
) -> fmt::Result {
    let file = file.display();
    match (seq, held) {
        (_, None) => write!(f, "{file}: holds no snapshot"),
        (None, Some((first, last))) => write!(f, "{file}: holds snapshots {first} to {last}"),
        (Some(seq), Some((first, last))) => {
            write!(f, "{file}: no snapshot {seq}; it holds {first} to {last}")
        }
    }
}

impl std::error::Error for Error {}

/// Something wrong that did not end the reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The file.
    pub file: PathBuf,
    /// Where in it.
    pub place: Option<Place>,
    /// What is wrong.
    pub cause: Cause,
    /// How many more of the same cause the file has.
    pub more: u64,
}

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Line number, from 1.
    pub line: u64,
    /// Byte offset from the start of the file.
    pub byte: u64,
}

/// What a [`Warning`] is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The last line was cut off.
    Torn,
    /// A line (or the rest of one) could not be read and was skipped.
    Damaged(String),
    /// A kind of line that this version does not know was skipped.
    UnknownKind(String),
    /// A snapshot that is already there, or older than the one before it, was skipped.
    Repeated {
        /// Its sequence number.
        seq: u64,
    },
    /// Snapshots are missing.
    Missing {
        /// How many.
        n_snapshots: u64,
        /// The first missing sequence number.
        first: u64,
    },
    /// Runs of different builds were read together.
    MixedBuilds {
        /// How many different builds.
        n_builds: usize,
    },
    /// A file of a directory was left out.
    LeftOut(Box<Error>),
    /// A number that cannot be true.
    Contradiction(Contradiction),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Torn => f.write_str("the last line is cut off; what it held is lost"),
            Self::Damaged(cause) => write!(f, "damaged line skipped: {cause}"),
            Self::UnknownKind(kind) => {
                write!(f, "skipped a line of unknown kind `{kind}`: a newer heaptide wrote it")
            }
            Self::Repeated { seq } => write!(f, "snapshot {seq} is out of order and was skipped"),
            Self::Missing { n_snapshots: 1, first } => write!(f, "snapshot {first} is missing"),
            Self::Missing { n_snapshots, first } => {
                write!(f, "{n_snapshots} snapshots are missing, the first is {first}")
            }
            Self::MixedBuilds { n_builds } => {
                write!(
                    f,
                    "the runs come from {n_builds} different builds of the program: name one as --before to compare them"
                )
            }
            Self::LeftOut(error) => write!(f, "left out: {error}"),
            Self::Contradiction(Contradiction { field, says }) => {
                write!(f, "`{field}` cannot be true: {says}; no verdict rests on it: record again")
            }
        }
    }
}

impl Warning {
    /// Whether it says that a recording contradicts itself.
    pub(crate) fn is_contradiction(&self) -> bool {
        matches!(self.cause, Cause::Contradiction(_))
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Cause::LeftOut(error) = &self.cause {
            return write!(f, "left out: {error}");
        }
        write!(f, "{}", self.file.display())?;
        if let Some(Place { line, byte }) = self.place {
            write!(f, ":{line} (byte {byte})")?;
        }
        write!(f, ": {}", self.cause)?;
        match self.more {
            0 => Ok(()),
            more => write!(f, " (and {more} more like this)"),
        }
    }
}

/// Warnings of one reading, bounded: after the first few of a kind in one file they are counted.
#[derive(Debug, Default)]
pub(crate) struct Warnings(Vec<Warning>);

impl Warnings {
    /// Enough to see what they have in common; a file with a hole in it could give one per line.
    const KEPT_PER_KIND: usize = 5;

    pub(crate) fn add(&mut self, file: &Path, place: Option<Place>, cause: Cause) {
        let alike = |have: &&mut Warning| {
            have.file == file
                && std::mem::discriminant(&have.cause) == std::mem::discriminant(&cause)
        };
        let n_alike = self.0.iter_mut().filter(alike).count();
        if n_alike >= Self::KEPT_PER_KIND
            && let Some(last) = self.0.iter_mut().filter(alike).last()
        {
            last.more += 1;
            return;
        }
        self.0.push(Warning { file: file.to_owned(), place, cause, more: 0 });
    }

    pub(crate) fn into_vec(self) -> Vec<Warning> {
        self.0
    }
}
