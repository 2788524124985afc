//! What to record and where.

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::time::Duration;

use heaptide_format::{MAX_FRAMES, Names, Parent};

use super::error::Error;
use super::threshold::Threshold;
use crate::globals::Unwinder;
use crate::shared::budget;
use crate::shared::sites::SiteEntry;

/// What to record and where; see [`crate::Recorder::builder`].
#[derive(Clone, Debug)]
pub struct Builder {
    pub(super) output: PathBuf,
    pub(super) interval: Duration,
    pub(super) signal: Option<i32>,
    pub(super) on_termination: OnTermination,
    /// `None`: names are left to readers.
    pub(super) name_sites: Option<NameSites>,
    pub(super) segment_bytes: u64,
    pub(super) total_bytes: u64,
    pub(super) unwinder: Unwinder,
    pub(super) follow_children: bool,
    /// `None`: the usual ones.
    pub(super) thresholds: Option<Vec<Threshold>>,
    pub(super) memory_bytes: u64,
    pub(super) frames: u32,
    /// Set in a forked child whose parent's recording goes on in it.
    pub(super) parent: Option<Parent>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnTermination {
    LeaveAlone,
    Finish,
}

/// Looks names of functions up in the process itself.
pub(super) type NameSites = fn(&mut dyn Iterator<Item = &'static SiteEntry>) -> Vec<Names>;

impl Default for Builder {
    fn default() -> Self {
        Self {
            output: PathBuf::from("."),
            interval: Duration::ZERO,
            signal: None,
            on_termination: OnTermination::LeaveAlone,
            name_sites: None,
            segment_bytes: 64 << 20,
            total_bytes: 1 << 30,
            follow_children: false,
            thresholds: None,
            memory_bytes: budget::DEFAULT_BYTES,
            frames: MAX_FRAMES as u32,
            parent: None,
            unwinder: Unwinder::of_this_machine(),
        }
    }
}

impl Builder {
    /// A file, or a directory: then `EXE.PID.jsonl` inside it. Missing directories are made; a
    /// file that exists is kept, renamed to `NAME.1`, `NAME.2` and so on.
    pub fn output(mut self, path: impl Into<PathBuf>) -> Self {
        self.output = path.into();
        self
    }

    /// Takes a snapshot every so often, at most every millisecond; zero (the default) means never.
    pub fn interval(mut self, interval: Duration) -> Self {
        let least = if interval.is_zero() { Duration::ZERO } else { Duration::from_millis(1) };
        self.interval = interval.max(least);
        self
    }

    /// Takes a snapshot when this signal arrives. Whoever handled it before is still called.
    pub fn signal(mut self, signal: i32) -> Self {
        self.signal = Some(signal);
        self
    }

    /// Takes a snapshot when memory first passes each of these marks, looked at a few times a second. By
    /// default these are 50, 80 and 95 % of the limit, where the cgroup or the process has one.
    pub fn thresholds(mut self, marks: impl IntoIterator<Item = Threshold>) -> Self {
        self.thresholds = Some(marks.into_iter().collect());
        self
    }

    /// How much memory all threads together may take for detail that a recording can do without (default
    /// 48 MiB): the stacks that they remember and the counters of their own. At the budget recording gets
    /// slower, and counts no less; how often it was met is said in each snapshot. Call sites are not in it,
    /// of which there is a table of fixed size. `HEAPTIDE_MEMORY` has precedence.
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory_bytes = bytes;
        self
    }

    /// Makes a call site of the innermost `n` frames of a stack, 1 to 256 (the default): stacks that differ
    /// further out are one site. Fewer frames cost less time for each allocation, and are exact all the same.
    pub fn frames(mut self, n: u32) -> Self {
        self.frames = n.clamp(1, MAX_FRAMES as u32);
        self
    }

    /// On SIGTERM and SIGINT, finishes the recording and then lets the signal end the process;
    /// not for a signal that the program handles itself.
    pub fn finish_on_termination(mut self) -> Self {
        self.on_termination = OnTermination::Finish;
        self
    }

    #[cfg(feature = "names")]
    /// Writes names of functions into the recording when it finishes, for readers that have only
    /// the file. The first look-up costs tens of megabytes and a tenth of a second or more.
    pub fn names_in_process(mut self) -> Self {
        self.name_sites = Some(super::names::of_sites);
        self
    }

    #[cfg(any(
        feature = "names",
        not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))
    ))]
    /// Takes stacks with the `backtrace` crate, as on machines whose stacks we cannot walk:
    /// for comparison; about a hundred times slower.
    pub fn unwind_with_backtrace(mut self) -> Self {
        self.unwinder = Unwinder::Backtrace;
        self
    }

    /// Goes on recording in forked children, each in a file of its own: `EXE.PID.jsonl` in the
    /// directory, `shop.PID.jsonl` beside `shop.jsonl`. Only in children of a process that has no thread
    /// but the one that forks: elsewhere it could hang them. Children that do not record are counted.
    pub fn record_children(mut self) -> Self {
        self.follow_children = true;
        self
    }

    /// Begins a new segment file when one has this many bytes (default 64 MiB). At most a quarter of
    /// [`Builder::total_bytes`]; more if four snapshots of every site are larger, up to half of that.
    pub fn segment_bytes(mut self, bytes: u64) -> Self {
        self.segment_bytes = bytes;
        self
    }

    /// Keeps all segments together under this many bytes (default 1 GiB) by dropping snapshots evenly
    /// over the whole run, the first and the last never; what was dropped is counted.
    pub fn total_bytes(mut self, bytes: u64) -> Self {
        self.total_bytes = bytes;
        self
    }

    /// The same with a path that means the same wherever the program goes.
    pub(super) fn absolute(mut self) -> Result<Self, Error> {
        let slash = self.output.as_os_str().as_encoded_bytes().ends_with(b"/");
        let absolute = std::path::absolute(&self.output)
            .map_err(|source| Error::Output { path: self.output.clone(), source })?;
        // A path that ends in a slash names a directory, also one that is not there yet.
        self.output = if slash { absolute.join("") } else { absolute };
        Ok(self)
    }
}
