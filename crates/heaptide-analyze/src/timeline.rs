//! The run as a whole: one point per snapshot, in order of time.

use std::collections::BTreeMap;

use heaptide_format::{Account, Budget, Children, Dropped, Epoch, Header, HeapTotals, Reason};

/// One run of one process: what its header says, and a point for each snapshot that was kept.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// The header of the run's first segment.
    pub header: Header,
    /// Snapshots in order; never two with the same sequence number.
    pub points: Vec<Point>,
}

impl Timeline {
    /// The names under which work was counted.
    pub(crate) fn counters(&self) -> impl Iterator<Item = &str> {
        self.points.last().into_iter().flat_map(|last| last.work.keys().map(String::as_str))
    }
}

/// What a snapshot says of the process, without its sites.
#[derive(Clone, Debug, Default)]
pub struct Point {
    /// Sequence number; a hole means that snapshots are missing.
    pub seq: u64,
    /// Time since the recording began.
    pub elapsed_ns: u64,
    /// The epoch this snapshot closed.
    pub epoch: Epoch,
    /// Why it was taken.
    pub reason: Reason,
    /// Work counted so far, by name.
    pub work: BTreeMap<String, u64>,
    /// Heap totals.
    pub heap: HeapTotals,
    /// Blocks freed so far that were there before the recording.
    pub freed_from_before: u64,
    /// Resident set size.
    pub rss_bytes: u64,
    /// Memory use of the process's cgroup.
    pub cgroup_bytes: Option<u64>,
    /// What is missing, cumulative.
    pub dropped: Dropped,
    /// Memory that the shim itself held.
    pub own_bytes: u64,
    /// How many innermost frames make a call site since the table of sites was filling.
    pub frames_kept: Option<u32>,
    /// What of it was taken for detail; absent if the writer had no budget.
    pub budget: Option<Budget>,
    /// What is known of forked children; absent if there were none.
    pub children: Option<Children>,
    /// What the whole process held; absent if the writer did not read it.
    pub account: Option<Account>,
}
