//! Two snapshots, site by site: what is new, what is gone, what grew.
//!
//! Sites are matched by identity, so the two may come from different runs and builds.

use std::collections::BTreeMap;

use heaptide_format::HeapTotals;

use crate::dump::{Dump, DumpSite};
use crate::identity::{SharedFrame, SiteKey};

/// The difference of two snapshots.
#[derive(Clone, Debug, PartialEq)]
pub struct Diff {
    /// The whole heap before.
    pub heap_before: HeapTotals,
    /// The whole heap after.
    pub heap_after: HeapTotals,
    /// Sites by falling size of their change in live bytes, then in live objects, then by identity.
    pub sites: Vec<SiteDiff>,
}

/// One identity in both snapshots.
#[derive(Clone, Debug, PartialEq)]
pub struct SiteDiff {
    /// Its identity.
    pub identity: SiteKey,
    /// The responsible function.
    pub path: String,
    /// The tag.
    pub tag: Option<String>,
    /// A stack of this identity: the later snapshot's where it has one.
    pub frames: Vec<SharedFrame>,
    /// Numbers in the earlier snapshot; all zero where it is not there.
    pub before: Numbers,
    /// Numbers in the later one.
    pub after: Numbers,
    /// In which of the two it has live blocks.
    pub change: Change,
}

/// The numbers that are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Live blocks.
    pub live_objects: u64,
    /// Live bytes.
    pub live_bytes: u64,
    /// Blocks allocated since the recording began.
    pub allocs: u64,
    /// Bytes asked for since the recording began.
    pub alloc_bytes: u64,
}

/// In which of two snapshots a site has live blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Only in the later one.
    New,
    /// Only in the earlier one.
    Gone,
    /// In both, with other numbers.
    Changed,
    /// The same live blocks and bytes in both.
    Same,
}

impl Diff {
    /// Compares two snapshots.
    pub fn new(before: &Dump, after: &Dump) -> Self {
        let mut sites = BTreeMap::new();
        for site in &after.sites {
            add(&mut entry(&mut sites, site).after, site);
        }
        for site in &before.sites {
            add(&mut entry(&mut sites, site).before, site);
        }
        let mut sites: Vec<SiteDiff> = sites.into_values().collect();
        for site in &mut sites {
            site.change = Change::of(&site.before, &site.after);
        }
        sites.sort_by_key(|site| {
            let falling = |delta: i128| std::cmp::Reverse(delta.unsigned_abs());
            (falling(site.delta_bytes()), falling(site.delta_objects()), site.identity)
        });
        Self { heap_before: before.scalars.heap, heap_after: after.scalars.heap, sites }
    }
}

impl SiteDiff {
    /// Change of the live bytes.
    pub fn delta_bytes(&self) -> i128 {
        delta(self.before.live_bytes, self.after.live_bytes)
    }

    /// Change of the live blocks.
    pub fn delta_objects(&self) -> i128 {
        delta(self.before.live_objects, self.after.live_objects)
    }

    /// Change of the blocks allocated; negative only between different runs.
    pub fn delta_allocs(&self) -> i128 {
        delta(self.before.allocs, self.after.allocs)
    }
}

impl Change {
    fn of(before: &Numbers, after: &Numbers) -> Self {
        let live = |numbers: &Numbers| (numbers.live_objects, numbers.live_bytes);
        match (live(before), live(after)) {
            (before, after) if before == after => Self::Same,
            ((0, 0), _) => Self::New,
            (_, (0, 0)) => Self::Gone,
            _ => Self::Changed,
        }
    }
}

fn delta(before: u64, after: u64) -> i128 {
    i128::from(after) - i128::from(before)
}

fn entry<'a>(sites: &'a mut BTreeMap<SiteKey, SiteDiff>, site: &DumpSite) -> &'a mut SiteDiff {
    sites.entry(site.identity).or_insert_with(|| SiteDiff {
        identity: site.identity,
        path: site.path.clone(),
        tag: site.tag.clone(),
        frames: site.frames.clone(),
        before: Numbers::default(),
        after: Numbers::default(),
        change: Change::Same,
    })
}

fn add(sum: &mut Numbers, site: &DumpSite) {
    let row = &site.row;
    sum.live_objects = sum.live_objects.saturating_add(row.live_objects);
    sum.live_bytes = sum.live_bytes.saturating_add(row.live_bytes);
    sum.allocs = sum.allocs.saturating_add(row.allocs);
    sum.alloc_bytes = sum.alloc_bytes.saturating_add(row.alloc_bytes);
}
