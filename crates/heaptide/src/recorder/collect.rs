//! Summing what the threads counted, in slots of their own and in those that they share.
//!
//! A site has a row in a snapshot if anything happened there since its last row. Marks say which sites
//! to look at ([`crate::shared::changes`]), and the number of events, summed over threads, whether they
//! changed. For a site that changed, all deaths are read before any birth, so that no sum is ever negative (see
//! [`crate::shared::cohort`]).
//!
//! A count that a thread began the quick way, and was kept from for more than a whole epoch, sets no mark.
//! So with each snapshot some other sites are looked at as well, all of them in turn, and with the last
//! snapshot every one.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use heaptide_format::{Growth, HeapTotals, SiteId, SiteRow, TagTotals};

use super::sums::{Sum, Sums};
use crate::globals::{CHANGES, SHARED_SLOTS, THREAD_BLOCKS, Tables};
use crate::shared::labels::Labels;
use crate::shared::state::{Phase, State};
use crate::shared::trailer::SiteIndex;
use crate::sync::Ordering::Acquire;
use crate::sync::fence;
use crate::thread::counters::growth::GrowthEvent;
use crate::thread::counters::view::{self, Ranges, SlotView};

/// Growth events kept per site.
const GROWTH_KEPT: usize = 16;
/// Of the sites that have no mark, one in so many is looked at with each snapshot.
const SNAPSHOTS_PER_TURN: usize = 64;

/// The recorder's memory of what it has written.
#[derive(Debug)]
pub(crate) struct Collector {
    generation: u32,
    sites: Vec<Known>,
    /// Sites to be looked at the next time, marked or not.
    due: Vec<SiteIndex>,
    /// Where the turn of the others goes on.
    turn: usize,
    totals: HeapTotals,
    truncated_allocs: u64,
    /// Live blocks and bytes under each tag.
    by_tag: BTreeMap<u32, (u64, u64)>,
    sums: Sums,
}

/// Which sites are looked at, and have a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Those that have a mark, and some others; a row if they changed.
    Marked,
    /// All; a row if they changed.
    Changed,
    /// All; a row in any case.
    Everything,
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
        Self {
            generation,
            sites: Vec::new(),
            due: Vec::new(),
            turn: 0,
            totals: HeapTotals::default(),
            truncated_allocs: 0,
            by_tag: BTreeMap::new(),
            sums: Sums::new(),
        }
    }

    /// Forgets that these sites had their rows, so that the next snapshot has them again.
    pub(crate) fn rewrite(&mut self, sites: &[SiteId]) {
        for &site in sites {
            self.sites[place(site)].n_events = u64::MAX;
            self.due.push(SiteIndex::of(site));
        }
    }

    /// The heap as of the last collection: exactly the sum over all sites.
    pub(crate) fn totals(&self) -> HeapTotals {
        self.totals
    }

    /// Sums the sites of a scope.
    pub(crate) fn collect(&mut self, tables: &Tables, state: State, scope: Scope) -> Collected {
        let n_sites = tables.sites.end().max(self.sites.len());
        self.sites.resize_with(n_sites, Known::default);
        let mut collected = Collected::default();
        for site in self.sites_of(scope) {
            let at = site.0 as usize;
            let events = n_events(self.generation, site);
            let is_old = scope != Scope::Everything && events == self.sites[at].n_events;
            if events == 0 || is_old {
                continue;
            }
            let Some((row, grown)) = read_still(self.generation, site, || self.sum(site, state))
            else {
                // It keeps its last row, and has its turn with the next snapshot.
                self.due.push(site);
                continue;
            };
            self.sites[at].n_events = events;
            self.recount(site, counts_of(&row), tables);
            let place = collected.rows.len();
            collected.grown.extend(grown.into_iter().map(|event| (place, event)));
            collected.rows.push(row);
        }
        collected
    }

    /// The sites to look at, in their order. Those whose marks are taken are due the next time as well.
    fn sites_of(&mut self, scope: Scope) -> Vec<SiteIndex> {
        let n_sites = self.sites.len();
        let due = std::mem::take(&mut self.due);
        self.due.extend(CHANGES.take(n_sites));
        let all = || (0..n_sites as u32).map(SiteIndex);
        if scope != Scope::Marked {
            return all().collect();
        }
        let n_in_turn = n_sites.div_ceil(SNAPSHOTS_PER_TURN);
        let turn = all().skip(self.turn).take(n_in_turn);
        let mut sites: Vec<SiteIndex> = self.due.iter().copied().chain(due).chain(turn).collect();
        self.turn = if self.turn + n_in_turn < n_sites { self.turn + n_in_turn } else { 0 };
        sites.sort_unstable();
        sites.dedup();
        sites
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

    /// Blocks ever made whose site did not fit into the table.
    pub(crate) fn overflowed_allocs(&self) -> u64 {
        self.sites.get(SiteIndex::OVERFLOW.0 as usize).map_or(0, |known| known.counts.allocs)
    }

    /// Blocks ever made whose stack was not followed to its root.
    pub(crate) fn truncated_allocs(&self) -> u64 {
        self.truncated_allocs
    }

    /// Live numbers under each tag, by tag.
    pub(crate) fn tag_totals(&self, tags: &Labels) -> Vec<TagTotals> {
        let total = |(&tag, &(live_objects, live_bytes)): (&u32, _)| {
            Some(TagTotals { tag: tags.name(tag)?.to_owned(), live_objects, live_bytes })
        };
        let mut totals: Vec<TagTotals> = self.by_tag.iter().filter_map(total).collect();
        totals.sort_by(|a, b| a.tag.cmp(&b.tag));
        totals
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
    fn recount(&mut self, site: SiteIndex, counts: HeapTotals, tables: &Tables) {
        let known = &mut self.sites[site.0 as usize];
        let before = std::mem::replace(&mut known.counts, counts);
        known.frees_before = before.frees;
        self.totals = combine(self.totals, &before, u64::wrapping_sub);
        self.totals = combine(self.totals, &counts, u64::wrapping_add);
        let Some(entry) = tables.sites.get(site) else { return };
        if entry.truncated() {
            self.truncated_allocs += counts.allocs.saturating_sub(before.allocs);
        }
        if entry.tag() != 0 {
            let (objects, bytes) = self.by_tag.entry(entry.tag()).or_default();
            *objects = objects.wrapping_sub(before.live_objects).wrapping_add(counts.live_objects);
            *bytes = bytes.wrapping_sub(before.live_bytes).wrapping_add(counts.live_bytes);
        }
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

/// Grows with everything that is counted at a site.
fn n_events(generation: u32, site: SiteIndex) -> u64 {
    views_of(generation, site).map(SlotView::n_events).fold(0, u64::wrapping_add)
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
