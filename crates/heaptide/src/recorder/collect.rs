//! Summing what the threads counted, in slots of their own and in those that they share.
//!
//! A site has a row in a snapshot if anything happened there since its last row: the number of
//! events, summed over threads, tells. For a site that changed, all deaths are read before any
//! birth, so that no sum is ever negative (see [`crate::shared::cohort`]).

#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use heaptide_format::{Growth, HeapTotals, SiteId, SiteRow, TagTotals};

use super::sums::{Sum, Sums};
use crate::globals::{SHARED_SLOTS, THREAD_BLOCKS, Tables};
use crate::shared::sites::SiteTable;
use crate::shared::state::{Phase, State};
use crate::shared::trailer::SiteIndex;
use crate::sync::Ordering::Acquire;
use crate::sync::fence;
use crate::thread::counters::growth::GrowthEvent;
use crate::thread::counters::view::{self, Ranges, SlotView};

/// Growth events kept per site.
const GROWTH_KEPT: usize = 16;

/// The recorder's memory of what it has written.
#[derive(Debug)]
pub(crate) struct Collector {
    generation: u32,
    sites: Vec<Known>,
    totals: HeapTotals,
    sums: Sums,
}

/// What the last row of a site said, of which the next depends.
#[derive(Debug, Default)]
struct Known {
    n_events: u64,
    counts: HeapTotals,
    /// What `counts` said of frees before it was brought up to date.
    frees_before: u64,
    growth: Vec<Growth>,
    last_free_ns: Option<u64>,
}

/// Rows of the sites that changed, and growth events still to be put into words, each with the
/// place of its row.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    rows: Vec<SiteRow>,
    grown: Vec<(usize, GrowthEvent)>,
}

impl Collector {
    pub(crate) fn new(generation: u32) -> Self {
        Self { generation, sites: Vec::new(), totals: HeapTotals::default(), sums: Sums::new() }
    }

    /// Forgets that these sites had their rows, so that the next snapshot has them again.
    pub(crate) fn rewrite(&mut self, sites: &[SiteId]) {
        for &site in sites {
            self.sites[place(site)].n_events = u64::MAX;
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
    ) -> Collected {
        let n_events = self.n_events(table.end());
        self.sites.resize_with(n_events.len().max(self.sites.len()), Known::default);
        let mut collected = Collected::default();
        for (at, &events) in n_events.iter().enumerate() {
            let known = &self.sites[at];
            if events == 0 || !everything && events == known.n_events {
                continue;
            }
            let site = SiteIndex(at as u32);
            let Some((row, grown)) = read_still(self.generation, site, || self.sum(site, state))
            else {
                // It keeps its last row, and has its turn with the next snapshot.
                continue;
            };
            self.sites[at].n_events = events;
            self.recount(at, counts_of(&row));
            let place = collected.rows.len();
            collected.grown.extend(grown.into_iter().map(|event| (place, event)));
            collected.rows.push(row);
        }
        collected
    }

    /// The rows of a collection, whose snapshot was taken at `mono_ns`.
    pub(crate) fn finish_rows(
        &mut self,
        collected: Collected,
        mono_ns: u64,
        name_work: impl Fn(&[u64]) -> BTreeMap<String, u64>,
    ) -> Vec<SiteRow> {
        let Collected { mut rows, grown } = collected;
        for (at, event) in grown {
            self.sites[place(rows[at].site)].growth.push(Growth {
                epoch: event.bucket.first_epoch(),
                bytes: event.bytes,
                grown_at: (event.grown_at != SiteIndex::NONE).then(|| event.grown_at.id()),
                work: name_work(&event.work),
            });
        }
        for row in &mut rows {
            let known = &mut self.sites[place(row.site)];
            if row.frees > known.frees_before {
                known.last_free_ns = Some(mono_ns);
            }
            let surplus = known.growth.len().saturating_sub(GROWTH_KEPT);
            known.growth.drain(..surplus);
            row.last_free_ns = known.last_free_ns;
            row.growth.clone_from(&known.growth);
        }
        rows
    }

    /// Blocks ever made at such sites.
    pub(crate) fn allocs(&self, of: impl Fn(SiteIndex) -> bool) -> u64 {
        let sites = self.sites.iter().enumerate();
        sites
            .filter(|&(at, _)| of(SiteIndex(at as u32)))
            .map(|(_, known)| known.counts.allocs)
            .sum()
    }

    /// Live numbers under each tag, by tag.
    pub(crate) fn tag_totals(&self, tables: &Tables) -> Vec<TagTotals> {
        let mut sums = BTreeMap::<&str, (u64, u64)>::new();
        let counted = self.sites.iter().enumerate().filter(|(_, known)| known.n_events > 0);
        for (at, known) in counted {
            let entry = tables.sites.get(SiteIndex(at as u32));
            let tag = entry.and_then(|entry| tables.tags.name(entry.tag()));
            if let Some(tag) = tag {
                let sum = sums.entry(tag).or_default();
                *sum = (sum.0 + known.counts.live_objects, sum.1 + known.counts.live_bytes);
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
        for block in THREAD_BLOCKS.all() {
            for (site, view) in view::views(&block.slots, self.generation, n_sites) {
                if let Some(sum) = sums.get_mut(site.0 as usize) {
                    *sum = sum.wrapping_add(view.n_events());
                }
            }
        }
        for (at, sum) in sums.iter_mut().enumerate() {
            let shared = view::shared_views(&SHARED_SLOTS, self.generation, SiteIndex(at as u32));
            *sum = shared.map(SlotView::n_events).fold(*sum, u64::wrapping_add);
        }
        sums
    }

    /// The row of a site, and where it outgrew its last.
    fn sum(&mut self, site: SiteIndex, state: State) -> (SiteRow, Vec<GrowthEvent>) {
        let (generation, end) = (self.generation, state.key().bucket());
        let views = || views_of(generation, site);
        let sums = &mut self.sums;
        sums.clear();
        for view in views() {
            view.frees(end, |bucket, deaths, death_bytes| {
                sums.add(bucket, Sum { deaths, death_bytes, ..Sum::default() });
            });
        }
        // The lists of slots are read again: in one seen only now may be made what was freed in one
        // above.
        let (mut ranges, mut grown) = (Ranges::default(), Vec::new());
        let (mut reallocs, mut largest_bytes) = (0, 0);
        let (mut object_variance, mut byte_variance) = (0u64, 0u64);
        for view in views() {
            view.allocs(end, |bucket, births, birth_bytes| {
                sums.add(bucket, Sum { births, birth_bytes, ..Sum::default() });
            });
            ranges = add_ranges(ranges, view.ranges(state));
            reallocs += view.n_reallocs();
            largest_bytes = largest_bytes.max(view.largest_bytes());
            grown.extend(view.growth());
            let (objects, bytes) = view.variances();
            object_variance = object_variance.wrapping_add(objects);
            byte_variance = byte_variance.wrapping_add(bytes);
        }
        let mut row = row_of(site, sums, ranges);
        row.reallocs = reallocs;
        row.largest_bytes = largest_bytes;
        if state.phase() == Phase::Sampling {
            row.objects_error = Some(standard_error(object_variance));
            row.bytes_error = Some(standard_error(byte_variance));
        }
        let growth = self.sites.get(site.0 as usize).and_then(|known| known.growth.last());
        let last_bytes = growth.map_or(0, |growth| growth.bytes);
        (row, outgrowing(grown, last_bytes))
    }

    /// Puts new counts of a site in the place of its last.
    fn recount(&mut self, at: usize, counts: HeapTotals) {
        let known = &mut self.sites[at];
        self.totals = combine(self.totals, &known.counts, u64::wrapping_sub);
        self.totals = combine(self.totals, &counts, u64::wrapping_add);
        known.frees_before = known.counts.frees;
        known.counts = counts;
    }
}

/// How often the counters of a site are read before it is left for another time.
const MOST_READS: usize = 1000;

/// Reads the counters of a site while no counts move from one of its slots to another. `None` if that
/// does not come about: who moves them was stopped on the way.
pub(super) fn read_still<R>(
    generation: u32,
    site: SiteIndex,
    mut read: impl FnMut() -> R,
) -> Option<R> {
    let n_moves = || view::n_moves(&SHARED_SLOTS, generation, site);
    for _ in 0..MOST_READS {
        if let Some(before) = n_moves() {
            let counts = read();
            fence(Acquire);
            if n_moves() == Some(before) {
                return Some(counts);
            }
        }
        std::thread::yield_now();
    }
    None
}

/// Every slot of a site that counts in this recording.
pub(super) fn views_of(generation: u32, site: SiteIndex) -> impl Iterator<Item = SlotView> {
    let own = THREAD_BLOCKS.all();
    let own = own.filter_map(move |block| view::view(&block.slots, generation, site));
    own.chain(view::shared_views(&SHARED_SLOTS, generation, site))
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

fn row_of(site: SiteIndex, sums: &mut Sums, ranges: Ranges) -> SiteRow {
    let total = sums.total();
    let (live_objects, live_bytes) = (total.live_objects(), total.live_bytes());
    SiteRow {
        allocs: total.births,
        frees: total.deaths,
        alloc_bytes: total.birth_bytes,
        freed_bytes: total.death_bytes,
        live_objects,
        live_bytes,
        objects_range: range(ranges.objects, live_objects),
        bytes_range: range(ranges.bytes, live_bytes),
        cohorts: sums.cohorts(),
        ..SiteRow::empty(site.id())
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

fn counts_of(row: &SiteRow) -> HeapTotals {
    HeapTotals {
        allocs: row.allocs,
        frees: row.frees,
        alloc_bytes: row.alloc_bytes,
        freed_bytes: row.freed_bytes,
        reallocs: row.reallocs,
        live_objects: row.live_objects,
        live_bytes: row.live_bytes,
    }
}

fn combine(a: HeapTotals, b: &HeapTotals, with: impl Fn(u64, u64) -> u64) -> HeapTotals {
    HeapTotals {
        allocs: with(a.allocs, b.allocs),
        frees: with(a.frees, b.frees),
        alloc_bytes: with(a.alloc_bytes, b.alloc_bytes),
        freed_bytes: with(a.freed_bytes, b.freed_bytes),
        reallocs: with(a.reallocs, b.reallocs),
        live_objects: with(a.live_objects, b.live_objects),
        live_bytes: with(a.live_bytes, b.live_bytes),
    }
}
