//! One snapshot: the numbers of the heap and of every site that changed.

use std::collections::BTreeMap;
use std::ops::{Add, Sub};

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize};

use crate::account::Account;
use crate::ids::{Epoch, SiteId};

/// Why a snapshot was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The interval passed.
    #[default]
    Interval,
    /// The signal arrived.
    Signal,
    /// The program asked.
    Call,
    /// The recording ended.
    Exit,
    /// A threshold was crossed.
    Threshold,
}

/// Cumulative and live numbers of a whole heap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HeapTotals {
    /// Blocks allocated since the recording began.
    pub allocs: u64,
    /// Recorded blocks freed.
    pub frees: u64,
    /// Bytes asked for, by `alloc` and by `realloc` (its new size).
    pub alloc_bytes: u64,
    /// Bytes given back, by `dealloc` and by `realloc` (its old size).
    pub freed_bytes: u64,
    /// Successful `realloc` calls; the block keeps its site and its birth epoch.
    pub reallocs: u64,
    /// `allocs - frees`.
    pub live_objects: u64,
    /// `alloc_bytes - freed_bytes`.
    pub live_bytes: u64,
}

/// Numbers of two sites or heaps together; sums stay at the largest number rather than wrap.
impl Add for HeapTotals {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.zip(other, u64::saturating_add)
    }
}

/// What has happened since the other, earlier numbers; differences stay at zero rather than wrap.
impl Sub for HeapTotals {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        self.zip(earlier, u64::saturating_sub)
    }
}

impl HeapTotals {
    fn zip(self, other: Self, of: fn(u64, u64) -> u64) -> Self {
        Self {
            allocs: of(self.allocs, other.allocs),
            frees: of(self.frees, other.frees),
            alloc_bytes: of(self.alloc_bytes, other.alloc_bytes),
            freed_bytes: of(self.freed_bytes, other.freed_bytes),
            reallocs: of(self.reallocs, other.reallocs),
            live_objects: of(self.live_objects, other.live_objects),
            live_bytes: of(self.live_bytes, other.live_bytes),
        }
    }
}

/// Live numbers of all sites under one tag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagTotals {
    /// The tag.
    pub tag: String,
    /// Blocks.
    pub live_objects: u64,
    /// Bytes.
    pub live_bytes: u64,
}

/// What is missing from a snapshot, cumulative since the recording began; all zero in a good one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dropped {
    /// Blocks whose site did not fit into the table; counted in the heap totals under site 0.
    pub sites: u64,
    /// Blocks whose stack was not followed to its root; counted under sites that say so.
    pub frames: u64,
    /// Samples that could not be recorded.
    pub samples: u64,
    /// Blocks that were not counted at all, for want of memory for our tables.
    pub blocks: u64,
    /// Blocks whose record was overwritten by the program, seen when they were freed.
    pub overruns: u64,
    /// Snapshots removed to keep under the size cap, or not written.
    pub snapshots: u64,
    /// Segments that could not be begun, so that the one before was gone on with.
    #[serde(skip_serializing_if = "is_zero")]
    pub segments: u64,
}

/// The children that a process forked since its recording began, cumulative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Children {
    /// How many were forked.
    pub forked: u64,
    /// Of these, how many record into a file of their own.
    pub recorded: u64,
    /// Of those that record, how many have written their last snapshot.
    pub finished: u64,
    /// Of those that do not, how many were gone, or another program, before they had held memory for long.
    pub brief: u64,
    /// Whether they were to be recorded.
    #[serde(skip_serializing_if = "is_false")]
    pub followed: bool,
}

/// How stacks were found, cumulative since the recording began. An allocation that is not among the
/// misses was recognised by comparing words: a hit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Unwinding {
    /// Stacks that no earlier one was like: followed frame by frame.
    pub misses: u64,
    /// Of these, stacks that cannot be remembered, and are followed each time.
    pub uncacheable: u64,
}

/// What the threads took of the budget of detail ([`crate::Header::budget_bytes`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Budget {
    /// Memory mapped for it now; it is not given back.
    pub taken_bytes: u64,
    /// How often since the recording began a thread had to do without more, because it was met.
    pub refused: u64,
}

/// Live blocks of one site that were born together: `[epoch, objects, bytes]`.
///
/// `epoch` is the first epoch of a [`crate::Bucket`]; from epoch 64 on a bucket spans several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cohort(pub Epoch, pub u64, pub u64);

/// A block larger by at least a fifth than any before it at its site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Growth {
    /// Epoch in which it was allocated (or grew to this size).
    pub epoch: Epoch,
    /// Its size.
    pub bytes: u64,
    /// The call stack that resized it to this size; absent if it was made so large, in a sampled
    /// recording, or if that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grown_at: Option<SiteId>,
    /// The work counters at that moment, if any work was counted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub work: BTreeMap<String, u64>,
}

/// The numbers of one site. All but the ranges are cumulative or instantaneous, so a row stands
/// until the site's next row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SiteRow {
    /// Which site.
    pub site: SiteId,
    /// Blocks allocated.
    pub allocs: u64,
    /// Blocks freed.
    pub frees: u64,
    /// Bytes asked for, by `alloc` and by `realloc` (its new size).
    pub alloc_bytes: u64,
    /// Bytes given back, by `dealloc` and by `realloc` (its old size).
    pub freed_bytes: u64,
    /// Successful `realloc` calls.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reallocs: u64,
    /// `allocs - frees`.
    pub live_objects: u64,
    /// `alloc_bytes - freed_bytes`.
    pub live_bytes: u64,
    /// Bounds on the live objects since the last snapshot: at least and at most. Exact when one
    /// thread uses the site. Absent: both are `live_objects`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objects_range: Option<(u64, u64)>,
    /// The same in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_range: Option<(u64, u64)>,
    /// Live blocks by birth, nonzero ones only, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cohorts: Vec<Cohort>,
    /// Size of the largest block so far.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub largest_bytes: u64,
    /// The last few times a block outgrew all before it (see [`Growth`]), oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub growth: Vec<Growth>,
    /// Monotonic time of the snapshot that last saw a free at this site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_free_ns: Option<u64>,
    /// Standard error of `live_objects` in a sampled recording.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objects_error: Option<f64>,
    /// Standard error of `live_bytes` in a sampled recording.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_error: Option<f64>,
}

impl SiteRow {
    /// Its cumulative and live numbers.
    pub fn counts(&self) -> HeapTotals {
        HeapTotals {
            allocs: self.allocs,
            frees: self.frees,
            alloc_bytes: self.alloc_bytes,
            freed_bytes: self.freed_bytes,
            reallocs: self.reallocs,
            live_objects: self.live_objects,
            live_bytes: self.live_bytes,
        }
    }

    /// The row of a site at which nothing has happened.
    pub fn empty(site: SiteId) -> Self {
        Self {
            site,
            allocs: 0,
            frees: 0,
            alloc_bytes: 0,
            freed_bytes: 0,
            reallocs: 0,
            live_objects: 0,
            live_bytes: 0,
            objects_range: None,
            bytes_range: None,
            cohorts: Vec::new(),
            largest_bytes: 0,
            growth: Vec::new(),
            last_free_ns: None,
            objects_error: None,
            bytes_error: None,
        }
    }
}

/// What stands for the rows of a [`Snapshot`].
pub trait Rows: Serialize + DeserializeOwned {
    /// Whether the member is not written.
    fn are_left_out(&self) -> bool;
}

impl Rows for Vec<SiteRow> {
    fn are_left_out(&self) -> bool {
        false
    }
}

/// The rows of a snapshot that is read without them: whatever stands there is skipped, and nothing
/// is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NoRows;

impl Rows for NoRows {
    fn are_left_out(&self) -> bool {
        true
    }
}

impl<'de> Deserialize<'de> for NoRows {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // An option, because the member may be absent.
        Option::<IgnoredAny>::deserialize(deserializer).map(|_| Self)
    }
}

/// One snapshot line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(bound = "R: Rows")]
pub struct Snapshot<R = Vec<SiteRow>> {
    /// Sequence number, from 0, without holes unless snapshots were dropped.
    pub seq: u64,
    /// Monotonic time (see [`crate::Header::start_mono_ns`]).
    pub mono_ns: u64,
    /// The epoch that this snapshot closes.
    pub epoch: Epoch,
    /// Why it was taken.
    pub reason: Reason,
    /// Work counted so far, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub work: BTreeMap<String, u64>,
    /// Live numbers by tag.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<TagTotals>,
    /// The whole heap.
    pub heap: HeapTotals,
    /// Blocks freed so far that were there before the recording; they are in no other number.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub freed_from_before: u64,
    /// Resident set size of the process.
    #[serde(default)]
    pub rss_bytes: u64,
    /// Memory use of the process's cgroup, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroup_bytes: Option<u64>,
    /// What is missing.
    #[serde(default)]
    pub dropped: Dropped,
    /// How stacks were found; absent in recordings of writers that did not count it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unwinding: Option<Unwinding>,
    /// Memory that the shim itself holds.
    #[serde(default)]
    pub own_bytes: u64,
    /// How many innermost frames make a call site since the table of sites was filling; absent: as many
    /// as the header says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frames_kept: Option<u32>,
    /// What of it was taken for detail; absent in recordings of writers that had no budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// What is known of forked children; absent if there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub children: Option<Children>,
    /// What the whole process holds; absent in recordings of writers that did not read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
    /// Sites that changed since the snapshot before; all sites in a segment's first snapshot.
    /// A site without a row is as its last row says, with nothing allocated or freed since.
    #[serde(skip_serializing_if = "R::are_left_out")]
    pub sites: R,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

fn is_false(flag: &bool) -> bool {
    !*flag
}
