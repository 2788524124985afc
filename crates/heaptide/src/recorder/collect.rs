//! Summing what the threads counted.
//!
//! A site has a row in a snapshot if anything happened there since its last row: the number of
//! events, summed over threads, tells. For a site that changed, all deaths are read before any
//! birth, so that no sum is ever negative (see [`crate::counters`]).

#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use heaptide_format::{Bucket, Cohort, Growth, HeapTotals, SiteId, SiteRow, TagTotals};

use crate::counters::{self, GrowthEvent, Ranges};
use crate::record::SiteIndex;
use crate::recording::{REGISTRY, Tables};
use crate::sites::SiteTable;
use crate::state::{Phase, State};

/// Growth events kept per site.
const GROWTH_KEPT: usize = 16;

/// The recorder's memory of what it has written.
#[derive(Debug)]
pub(crate) struct Collector {
    generation: u32,
    sites: Vec<Known>,
    totals: HeapTotals,
}

/// What the last row of a site said.
#[derive(Debug, Default)]
struct Known {
    n_events: u64,
    row: Option<SiteRow>,
}

/// A site that changed, with growth events still to be put into words.
#[derive(Debug)]
pub(crate) struct Changed {
    row: SiteRow,
    frees_before: u64,
    grown: Vec<GrowthEvent>,
}

/// The sums over threads of one birth bucket.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    births: u64,
    birth_bytes: u64,
    deaths: u64,
    death_bytes: u64,
}

impl Collector {
    pub(crate) fn new(generation: u32) -> Self {
        Self { generation, sites: Vec::new(), totals: HeapTotals::default() }
    }

    /// Forgets what was written, so that the next snapshot has every site.
    pub(crate) fn rewrite_everything(&mut self) {
        for known in &mut self.sites {
            known.n_events = u64::MAX;
        }
    }

    /// The heap as of the last collection: exactly the sum over all sites.
    pub(crate) fn totals(&self) -> HeapTotals {
        self.totals
    }

    /// Sums every site that changed, or with `everything` every site there is.
    pub(crate) fn collect(
        &mut self,
        table: &SiteTable,
        state: State,
        everything: bool,
    ) -> Vec<Changed> {
        let n_events = self.n_events(table.end());
        self.sites.resize_with(n_events.len().max(self.sites.len()), Known::default);
        let mut changed = Vec::new();
        for (at, &events) in n_events.iter().enumerate() {
            let known = &self.sites[at];
            if events == 0 || !everything && events == known.n_events {
                continue;
            }
            self.sites[at].n_events = events;
            changed.push(self.sum(SiteIndex(at as u32), state));
        }
        for change in &changed {
            self.remember(change);
        }
        changed
    }

    /// Completes the rows of a collection, whose snapshot was taken at `mono_ns`.
    pub(crate) fn finish_rows(
        &mut self,
        changed: Vec<Changed>,
        mono_ns: u64,
        out: &mut Vec<SiteRow>,
        name_work: impl Fn(&[u64]) -> BTreeMap<String, u64>,
    ) {
        for Changed { mut row, frees_before, grown } in changed {
            if row.frees > frees_before {
                row.last_free_ns = Some(mono_ns);
            }
            for event in grown {
                row.growth.push(Growth {
                    epoch: event.bucket.first_epoch(),
                    bytes: event.bytes,
                    work: name_work(&event.work),
                });
            }
            let surplus = row.growth.len().saturating_sub(GROWTH_KEPT);
            row.growth.drain(..surplus);
            self.sites[place(row.site)].row = Some(row.clone());
            out.push(row);
        }
    }

    /// Blocks ever made at such sites.
    pub(crate) fn allocs(&self, of: impl Fn(SiteIndex) -> bool) -> u64 {
        let rows = self.sites.iter().filter_map(|known| known.row.as_ref());
        rows.filter(|row| of(SiteIndex::of(row.site))).map(|row| row.allocs).sum()
    }

    /// Live numbers under each tag, by tag.
    pub(crate) fn tag_totals(&self, tables: &Tables) -> Vec<TagTotals> {
        let mut sums = BTreeMap::<&str, (u64, u64)>::new();
        let rows = self.sites.iter().filter_map(|known| known.row.as_ref());
        for row in rows {
            let entry = tables.sites.get(SiteIndex::of(row.site));
            let tag = entry.and_then(|entry| tables.tags.name(entry.tag()));
            if let Some(tag) = tag {
                let sum = sums.entry(tag).or_default();
                *sum = (sum.0 + row.live_objects, sum.1 + row.live_bytes);
            }
        }
        let total = |(tag, (live_objects, live_bytes)): (&str, _)| TagTotals {
            tag: tag.to_owned(),
            live_objects,
            live_bytes,
        };
        sums.into_iter().map(total).collect()
    }

    fn n_events(&self, n_sites: usize) -> Vec<u64> {
        let mut sums = vec![0u64; n_sites];
        for block in REGISTRY.all() {
            for (site, view) in counters::views(&block.slots, self.generation, n_sites) {
                if let Some(sum) = sums.get_mut(site.0 as usize) {
                    *sum = sum.wrapping_add(view.n_events());
                }
            }
        }
        sums
    }

    fn sum(&self, site: SiteIndex, state: State) -> Changed {
        let end = state.key().bucket();
        let views = || {
            REGISTRY.all().filter_map(|block| counters::view(&block.slots, self.generation, site))
        };
        let mut sums = vec![Sum::default(); end.0 as usize + 1];
        for view in views() {
            view.deaths(end, |bucket, objects, bytes| {
                if let Some(sum) = sums.get_mut(bucket.0 as usize) {
                    sum.deaths += objects;
                    sum.death_bytes += bytes;
                }
            });
        }
        // The list of threads is read again: a thread seen only now may have made what a thread
        // above freed.
        let (mut ranges, mut grown) = (Ranges::default(), Vec::new());
        let (mut reallocs, mut largest_bytes) = (0, 0);
        let (mut object_variance, mut byte_variance) = (0u64, 0u64);
        for view in views() {
            view.births(end, |bucket, objects, bytes| {
                if let Some(sum) = sums.get_mut(bucket.0 as usize) {
                    sum.births += objects;
                    sum.birth_bytes += bytes;
                }
            });
            ranges = add_ranges(ranges, view.ranges(state));
            reallocs += view.n_reallocs();
            largest_bytes = largest_bytes.max(view.largest_bytes());
            grown.extend(view.growth());
            let (objects, bytes) = view.variances();
            object_variance = object_variance.wrapping_add(objects);
            byte_variance = byte_variance.wrapping_add(bytes);
        }
        let before = self.sites.get(site.0 as usize).and_then(|known| known.row.as_ref());
        let mut row = row_of(site, &sums, ranges);
        row.reallocs = reallocs;
        row.largest_bytes = largest_bytes;
        row.growth = before.map(|row| row.growth.clone()).unwrap_or_default();
        row.last_free_ns = before.and_then(|row| row.last_free_ns);
        if state.phase() == Phase::Sampling {
            row.objects_error = Some(standard_error(object_variance));
            row.bytes_error = Some(standard_error(byte_variance));
        }
        let last_bytes = row.growth.last().map_or(0, |growth| growth.bytes);
        Changed {
            frees_before: before.map_or(0, |row| row.frees),
            grown: outgrowing(grown, last_bytes),
            row,
        }
    }

    fn remember(&mut self, change: &Changed) {
        let known = &mut self.sites[place(change.row.site)];
        if let Some(before) = &known.row {
            self.totals = combine(self.totals, before, u64::wrapping_sub);
        }
        self.totals = combine(self.totals, &change.row, u64::wrapping_add);
        known.row = Some(change.row.clone());
    }
}

/// Where the collector keeps a site: by its index, which is not its number in the recording.
fn place(site: SiteId) -> usize {
    SiteIndex::of(site).0 as usize
}

/// Of several threads' growth events, those that outgrow `last_bytes` and each other by a fifth.
fn outgrowing(mut events: Vec<GrowthEvent>, mut last_bytes: u64) -> Vec<GrowthEvent> {
    events.sort_by_key(|event| (event.bucket, event.bytes));
    events.retain(|event| {
        let outgrows = event.bytes > last_bytes && event.bytes - last_bytes >= last_bytes / 5;
        if outgrows {
            last_bytes = event.bytes;
        }
        outgrows
    });
    events
}

fn row_of(site: SiteIndex, sums: &[Sum], ranges: Ranges) -> SiteRow {
    let total = sums.iter().fold(Sum::default(), |total, sum| Sum {
        births: total.births + sum.births,
        birth_bytes: total.birth_bytes + sum.birth_bytes,
        deaths: total.deaths + sum.deaths,
        death_bytes: total.death_bytes + sum.death_bytes,
    });
    let live_objects = total.births.saturating_sub(total.deaths);
    let live_bytes = total.birth_bytes.saturating_sub(total.death_bytes);
    // A block on its way out may have its end counted before its bytes: all live bytes are shown.
    let lives = |sum: &Sum| sum.births > sum.deaths || sum.birth_bytes > sum.death_bytes;
    let cohorts = sums.iter().zip(0..).filter(|(sum, _)| lives(sum));
    let cohort = |(sum, bucket): (&Sum, u32)| {
        let bytes = sum.birth_bytes.saturating_sub(sum.death_bytes);
        let objects = sum.births.saturating_sub(sum.deaths);
        Cohort(Bucket(bucket).first_epoch(), objects, bytes)
    };
    SiteRow {
        site: site.id(),
        allocs: total.births,
        frees: total.deaths,
        alloc_bytes: total.birth_bytes,
        freed_bytes: total.death_bytes,
        reallocs: 0,
        live_objects,
        live_bytes,
        objects_range: range(ranges.objects, live_objects),
        bytes_range: range(ranges.bytes, live_bytes),
        cohorts: cohorts.map(cohort).collect(),
        largest_bytes: 0,
        growth: Vec::new(),
        last_free_ns: None,
        objects_error: None,
        bytes_error: None,
    }
}

/// The square root of a variance, which is negative, in two's complement, if ends were counted
/// whose births were not read yet.
fn standard_error(variance: u64) -> f64 {
    ((variance as i64).max(0) as f64).sqrt()
}

/// A range that contains `live`; `None` if it is nothing but `live`.
fn range((min, max): (i64, i64), live: u64) -> Option<(u64, u64)> {
    let bound = |n: i64| u64::try_from(n).unwrap_or(0);
    let range = (bound(min).min(live), bound(max).max(live));
    (range != (live, live)).then_some(range)
}

fn add_ranges(a: Ranges, b: Ranges) -> Ranges {
    let add = |a: (i64, i64), b: (i64, i64)| (a.0.saturating_add(b.0), a.1.saturating_add(b.1));
    Ranges { objects: add(a.objects, b.objects), bytes: add(a.bytes, b.bytes) }
}

fn combine(totals: HeapTotals, row: &SiteRow, with: impl Fn(u64, u64) -> u64) -> HeapTotals {
    HeapTotals {
        allocs: with(totals.allocs, row.allocs),
        frees: with(totals.frees, row.frees),
        alloc_bytes: with(totals.alloc_bytes, row.alloc_bytes),
        freed_bytes: with(totals.freed_bytes, row.freed_bytes),
        reallocs: with(totals.reallocs, row.reallocs),
        live_objects: with(totals.live_objects, row.live_objects),
        live_bytes: with(totals.live_bytes, row.live_bytes),
    }
}
