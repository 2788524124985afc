//! What to record and where.

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::time::Duration;

use heaptide_format::Names;

use crate::globals::Unwinder;
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

    /// Begins a new segment file when one has this many bytes (default 64 MiB).
    pub fn segment_bytes(mut self, bytes: u64) -> Self {
        self.segment_bytes = bytes;
        self
    }

    /// Keeps all segments together under this many bytes (default 1 GiB) by dropping every second
    /// of the older snapshots; what was dropped is counted.
    pub fn total_bytes(mut self, bytes: u64) -> Self {
        self.total_bytes = bytes;
        self
    }
}
