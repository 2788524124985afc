//! The first line of a segment: what was recorded, where, how.

use serde::{Deserialize, Serialize};

/// Frames of a stack that are followed; what lies beyond is cut off and counted. The innermost frames are the
/// ones kept: they say what allocated. Stacks of asynchronous services have up to a hundred; only recursion
/// has more than this.
pub const MAX_FRAMES: usize = 256;

/// How allocations are recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Every block.
    #[default]
    Exact,
    /// A Poisson sample by bytes; counts are unbiased estimates.
    Sampled {
        /// Mean distance between two samples.
        period_bytes: u64,
    },
}

/// The process that a recorded process was forked from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Parent {
    /// Its process id.
    pub pid: u32,
    /// Its recording, as that one's header names it.
    pub recording: String,
}

/// The first line of every segment. A new `recording` value means a new run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Header {
    /// [`crate::FORMAT_VERSION`] of the writer.
    pub format: u32,
    /// Name and version of the program that wrote it.
    pub writer: String,
    /// The same in all segments of one recording and different in any other.
    pub recording: String,
    /// Number of this segment, from 0.
    pub segment: u32,
    /// Process id.
    pub pid: u32,
    /// Path of the executable.
    pub exe: String,
    /// Build id of the executable in lower-case hex, if it has one.
    pub build_id: Option<String>,
    /// Host name.
    pub host: String,
    /// Target architecture, as Rust names it.
    pub arch: String,
    /// Start of the recording: nanoseconds since the Unix epoch.
    pub start_unix_ns: u64,
    /// Start of the recording on the monotonic clock that snapshots use.
    pub start_mono_ns: u64,
    /// Exact or sampled.
    pub mode: Mode,
    /// Interval between snapshots; 0 means none.
    pub interval_ns: u64,
    /// Signal that asks for a snapshot (`"USR2"`), if any.
    pub signal: Option<String>,
    /// Type name of the inner allocator.
    pub inner: String,
    /// How stacks are taken: `eh_frame` or `backtrace`.
    pub unwinder: String,
    /// Directories of the shim's own source files, as debug information may name them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shim_sources: Vec<String>,
    /// Memory limit of the process's cgroup, if there is one.
    pub memory_limit_bytes: Option<u64>,
    /// Memory of the machine, if known.
    pub machine_bytes: Option<u64>,
    /// How many bytes all threads together may take for detail: remembered stacks, counters of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget_bytes: Option<u64>,
    /// How many of a stack's innermost frames make a call site; absent: [`MAX_FRAMES`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames: Option<u32>,
    /// The process it was forked from, if that one's recording went on here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
}
