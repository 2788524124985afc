//! Why a growth test fails.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a growth test fails. Both ways of printing it are for people: a test that returns it shows the
/// debug form.
#[non_exhaustive]
pub enum Error {
    /// The function keeps memory.
    Grows(Box<Growth>),
    /// Nothing can be counted in this process; the text says why and what to do.
    NotRecorded(String),
    /// A budget, an exception or `heaptide.toml` cannot be understood; the text says which and why.
    Config(String),
    /// The recording of the test cannot be written or read.
    Recording {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
}

/// Growth that is over the test's budget.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Growth {
    /// What the test is called.
    pub test: String,
    /// How often the function was called.
    pub calls: usize,
    /// Of these, how many were the warm-up.
    pub warm_up: usize,
    /// The functions to blame, worst first.
    pub blamed: Vec<String>,
    /// The evidence, as a person reads it.
    pub evidence: String,
    /// The recording of the test, for `heaptide check` and `heaptide show`.
    pub recording: PathBuf,
    /// Entries of `heaptide.toml` that would let it pass.
    pub allow: String,
}

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { test, calls, warm_up, evidence, recording, allow, .. } = self;
        let counted = calls - warm_up;
        writeln!(
            f,
            "`{test}` keeps memory: {warm_up} calls to warm up, then {counted} that count\n"
        )?;
        writeln!(f, "{evidence}")?;
        writeln!(
            f,
            "Not seen: what other threads and tasks allocate without `heaptide_testing::scoped`."
        )?;
        writeln!(
            f,
            "If it is meant to be kept, say so in heaptide.toml (or in the test, by `.allow(…)`):\n"
        )?;
        writeln!(f, "{allow}")?;
        write!(f, "Recording of this test: {}", recording.display())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grows(growth) => growth.fmt(f),
            Self::NotRecorded(what) | Self::Config(what) => f.write_str(what),
            Self::Recording { path, source } => {
                write!(f, "cannot keep the test's recording {}: {source}", path.display())
            }
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Recording { source, .. } => Some(source),
            _ => None,
        }
    }
}
