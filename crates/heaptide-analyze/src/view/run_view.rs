//! The parts of a view: moments, sites, and what was alive.

use std::collections::BTreeMap;

use heaptide_format::{Epoch, HeapTotals};

use crate::site::Subject;
use crate::timeline::Timeline;
use crate::verdict::Class;

/// How much a view may hold. Its size follows these numbers, not those of the recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Moments at most.
    pub columns: usize,
    /// Sites times moments at most; where there are many sites there are fewer moments.
    pub cells: usize,
    /// Sites at most that are told one by one: those that grow, then the largest.
    pub sites: usize,
    /// How many of these have a cohort map.
    pub cohort_maps: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { columns: 96, cells: 400_000, sites: 12_000, cohort_maps: 40 }
    }
}

/// A run over time.
#[derive(Clone, Debug, Default)]
pub struct RunView {
    /// Its header, and what each snapshot says of the process as a whole.
    pub timeline: Timeline,
    /// The moments, oldest first. The last one may be the exit, which is no part of the verdict.
    pub columns: Vec<Column>,
    /// Columns before this one are warm-up.
    pub warm_up_columns: usize,
    /// Blocks born in columns before this one are old enough at the end to count as evidence.
    pub mature_columns: usize,
    /// Sites told one by one: those that grow first, then the largest.
    pub sites: Vec<SiteView>,
    /// How many sites there are besides.
    pub n_other_sites: usize,
    /// What these hold together, by column.
    pub other_sites: Vec<Live>,
}

/// One site over a run.
#[derive(Clone, Debug, Default)]
pub struct SiteView {
    /// Which site.
    pub subject: Subject,
    /// What it was judged to be.
    pub class: Class,
    /// Cumulative and live numbers at the last judged snapshot.
    pub counts: HeapTotals,
    /// What was alive, by column.
    pub live: Vec<Live>,
    /// What of that is alive at the last judged snapshot, by birth: nonzero ones only, oldest first.
    pub survivors: Vec<BornIn>,
    /// Live bytes by column, and within it by the column of birth; of a few sites only.
    pub cohort_map: Option<Vec<Vec<u64>>>,
}

/// Live blocks and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Live {
    /// Blocks.
    pub objects: u64,
    /// Bytes.
    pub bytes: u64,
}

/// Live blocks born in one column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BornIn {
    /// Which column.
    pub column: usize,
    /// What is alive of it.
    pub live: Live,
}

impl Live {
    pub(super) fn of(counts: &HeapTotals) -> Self {
        Self { objects: counts.live_objects, bytes: counts.live_bytes }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.objects = self.objects.saturating_add(other.objects);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// The births that a column stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Births {
    /// First birth epoch.
    pub first: Epoch,
    /// Last birth epoch.
    pub last: Epoch,
}

/// A moment of a run, at which a snapshot was taken, and the span since the one before.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Column {
    /// Sequence number of the snapshot.
    pub seq: u64,
    /// Its time since the recording began.
    pub elapsed_ns: u64,
    /// What was born in the span.
    pub births: Births,
    /// Work counted until then, by name.
    pub work: BTreeMap<String, u64>,
    /// Whether it is part of the verdict: the exit is not.
    pub is_judged: bool,
}
