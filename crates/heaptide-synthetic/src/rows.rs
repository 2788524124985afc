//! What the snapshots show of one site.

use std::collections::BTreeMap;

use heaptide_analyze::axis::Axis;
use heaptide_analyze::series::SiteSeries;
use heaptide_format::{Bucket, Cohort, Epoch, SiteId, SiteRow};

/// The size of a block that says nothing else: round, so that bytes read as blocks do.
const BLOCK_BYTES: u64 = 100;

/// Some blocks born in one epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Born {
    /// How many.
    pub n_blocks: u64,
    /// Size of each.
    pub block_bytes: u64,
    /// How many snapshots see them; absent if they are never freed.
    pub lifetime_epochs: Option<u32>,
}

impl Born {
    /// Blocks of 100 bytes that are never freed.
    pub fn for_ever(n_blocks: u64) -> Self {
        Self { n_blocks, block_bytes: BLOCK_BYTES, lifetime_epochs: None }
    }

    /// Blocks of 100 bytes that so many snapshots see.
    pub fn living(n_blocks: u64, lifetime_epochs: u32) -> Self {
        Self { lifetime_epochs: Some(lifetime_epochs), ..Self::for_ever(n_blocks) }
    }

    /// The same number of blocks of another size.
    pub fn of_bytes(self, block_bytes: u64) -> Self {
        Self { block_bytes, ..self }
    }

    fn is_dead(&self, born: u32, epoch: u32) -> bool {
        self.lifetime_epochs.is_some_and(|life| epoch - born >= life)
    }
}

/// A row for each of `n_snapshots` snapshots of a site that bears `born(epoch)` in each epoch.
pub fn rows(site: SiteId, n_snapshots: u32, born: impl Fn(u32) -> Vec<Born>) -> Vec<SiteRow> {
    let births: Vec<Vec<Born>> = (0..n_snapshots).map(born).collect();
    (0..n_snapshots).map(|epoch| row(site, epoch, &births)).collect()
}

fn row(site: SiteId, epoch: u32, births: &[Vec<Born>]) -> SiteRow {
    let mut row = SiteRow::empty(site);
    let mut cohorts: BTreeMap<Epoch, (u64, u64)> = BTreeMap::new();
    for (birth, born) in (0..=epoch).zip(births) {
        for group in born {
            let bytes = group.n_blocks * group.block_bytes;
            row.allocs += group.n_blocks;
            row.alloc_bytes += bytes;
            row.largest_bytes = row.largest_bytes.max(group.block_bytes);
            if group.is_dead(birth, epoch) {
                row.frees += group.n_blocks;
                row.freed_bytes += bytes;
            } else if group.n_blocks > 0 {
                let cohort = cohorts.entry(Bucket::of(Epoch(birth)).first_epoch()).or_default();
                *cohort = (cohort.0 + group.n_blocks, cohort.1 + bytes);
            }
        }
    }
    row.live_objects = row.allocs - row.frees;
    row.live_bytes = row.alloc_bytes - row.freed_bytes;
    row.cohorts = cohorts.into_iter().map(|(epoch, (n, bytes))| Cohort(epoch, n, bytes)).collect();
    row
}

/// A row for each snapshot of a site that holds one block, born in the first epoch, of
/// `bytes_at(epoch)` bytes.
pub fn container_rows(
    site: SiteId,
    n_snapshots: u32,
    bytes_at: impl Fn(u32) -> u64,
) -> Vec<SiteRow> {
    let sizes: Vec<u64> = (0..n_snapshots).map(bytes_at).collect();
    let row = |k: usize| {
        let bytes = sizes[k];
        let given_back: u64 = sizes[..k].iter().sum();
        SiteRow {
            allocs: 1,
            reallocs: k as u64,
            alloc_bytes: given_back + bytes,
            freed_bytes: given_back,
            live_objects: 1,
            live_bytes: bytes,
            cohorts: vec![Cohort(Epoch(0), 1, bytes)],
            largest_bytes: sizes[..=k].iter().copied().max().unwrap_or(0),
            ..SiteRow::empty(site)
        }
    };
    (0..sizes.len()).map(row).collect()
}

/// The closed series of a site with one row for each of the first snapshots.
pub fn series(axis: &Axis, rows: &[SiteRow]) -> SiteSeries {
    let mut series = SiteSeries::new();
    rows.iter().enumerate().for_each(|(k, row)| series.observe(axis, k, row));
    series.close(axis);
    series
}
