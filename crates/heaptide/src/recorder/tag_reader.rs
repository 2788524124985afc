//! What the call sites under one tag have counted, read from inside the program.
//!
//! A recording shows a tag at each of its snapshots, and those are of the whole process. A test wants to
//! know of its own tag after each call, without a file and without an epoch that other tests would see.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use heaptide_format::{Header, Line, Module, Site, SiteId};

use super::collect::{read_still, views_of};
use super::config::Builder;
use super::session::{self, Position};
use crate::globals::{self, ARENA, STATE, Tables};
use crate::shared::sites::SiteEntry;
use crate::shared::state::{Phase, State};
use crate::shared::trailer::SiteIndex;
use crate::sync::Ordering::Relaxed;

/// Reads what the call sites under one tag have counted; see [`crate::tag`].
///
/// It counts from the beginning of the recording, whoever had the tag since then.
#[derive(Debug)]
pub struct TagReader {
    tables: &'static Tables,
    tag: u32,
    counts: Vec<SiteCounts>,
    /// Sites below this index were looked at,
    n_looked_at: u32,
    /// but for these, which were not there yet, though they had a number.
    missing: Vec<u32>,
}

/// The blocks of one call site under a tag, summed over all threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SiteCounts {
    /// Its number in the recording.
    pub site: SiteId,
    /// Blocks made.
    pub allocs: u64,
    /// Of these, blocks freed.
    pub frees: u64,
    /// Bytes made, and gained by resizing.
    pub alloc_bytes: u64,
    /// Bytes freed, and given up by resizing.
    pub freed_bytes: u64,
    /// Times that a block was resized.
    pub reallocs: u64,
    /// The most bytes alive at once since the recording's last snapshot, each thread by itself: what they
    /// come to together was not more.
    pub peak_bytes: u64,
}

impl SiteCounts {
    /// A site at which nothing was counted.
    pub fn none(site: SiteId) -> Self {
        let (allocs, frees, alloc_bytes, freed_bytes) = (0, 0, 0, 0);
        Self { site, allocs, frees, alloc_bytes, freed_bytes, reallocs: 0, peak_bytes: 0 }
    }

    /// Blocks alive.
    pub fn live_objects(&self) -> u64 {
        self.allocs.saturating_sub(self.frees)
    }

    /// Bytes alive.
    pub fn live_bytes(&self) -> u64 {
        self.alloc_bytes.saturating_sub(self.freed_bytes)
    }
}

impl TagReader {
    /// A reader of the sites under `tag`; `None` unless every block of this process is recorded now.
    pub fn new(tag: &str) -> Option<Self> {
        if STATE.load().phase() != Phase::Recording {
            return None;
        }
        let tables = globals::tables()?;
        let tag = tables.tags.number(&ARENA, tag);
        let (counts, missing) = (Vec::new(), Vec::new());
        Some(Self { tables, tag, counts, n_looked_at: 0, missing })
    }

    /// Every site that ever allocated under the tag, as it stands now, in an order that stays.
    ///
    /// What other threads do meanwhile is counted or not; a block is never freed more often than made.
    pub fn read(&mut self) -> &[SiteCounts] {
        self.find_sites();
        let state = STATE.load();
        for counts in &mut self.counts {
            let (site, generation) = (counts.site, state.key().generation());
            let read = || count(site, state);
            // Counts that do not come to rest stay as they were read last.
            *counts = read_still(generation, SiteIndex::of(site), read).unwrap_or(*counts);
        }
        &self.counts
    }

    /// The lines of a recording that say what these sites are: its header, modules and sites.
    pub fn describe(&self) -> Vec<Line> {
        globals::refresh_modules();
        let header = session::header(&Builder::default());
        let mut modules = BTreeMap::new();
        let sites = self.counts.iter().map(|counts| self.site(counts.site, &header, &mut modules));
        let sites: Vec<Line> = sites.map(Line::Site).collect();
        let modules = modules.into_values().map(Line::Module);
        std::iter::once(Line::Header(header.clone())).chain(modules).chain(sites).collect()
    }

    fn site(&self, id: SiteId, header: &Header, modules: &mut BTreeMap<usize, Module>) -> Site {
        let entry = self.tables.sites.get(SiteIndex::of(id));
        let frames = entry.map_or(&[][..], SiteEntry::frames).iter().map(|frame| {
            let Position { frame, module } = session::locate(frame.load(Relaxed));
            if let Some((at, module)) = module {
                modules.entry(at).or_insert_with(|| session::describe(at, module, &header.exe));
            }
            frame
        });
        let frames = frames.collect();
        let tag = entry.and_then(|entry| self.tables.tags.name(entry.tag())).map(str::to_owned);
        Site { id, tag, frames, truncated: entry.is_none_or(SiteEntry::truncated) }
    }

    /// Looks at sites that are new since the last time.
    fn find_sites(&mut self) {
        let end = u32::try_from(self.tables.sites.end()).unwrap_or(u32::MAX);
        let fresh = self.n_looked_at..end;
        let again = std::mem::take(&mut self.missing);
        for index in again.into_iter().chain(fresh) {
            match self.tables.sites.get(SiteIndex(index)) {
                Some(entry) if entry.tag() == self.tag => {
                    self.counts.push(SiteCounts::none(SiteIndex(index).id()));
                }
                Some(_) => {}
                // Not there yet, or never: two threads brought the same stack at once.
                None if index > SiteIndex::OVERFLOW.0 => self.missing.push(index),
                None => {}
            }
        }
        self.n_looked_at = end;
    }
}

/// Frees before allocations, over all threads (see [`crate::shared::cohort`]).
fn count(site: SiteId, state: State) -> SiteCounts {
    let (generation, end) = (state.key().generation(), state.key().bucket());
    let index = SiteIndex::of(site);
    let views = || views_of(generation, index);
    let mut counts = SiteCounts::none(site);
    for view in views() {
        view.frees(end, |_, objects, bytes| {
            counts.frees += objects;
            counts.freed_bytes += bytes;
        });
    }
    let mut peak_bytes = 0i64;
    // In a slot seen only now may be made what was freed in one above.
    for view in views() {
        view.allocs(end, |_, objects, bytes| {
            counts.allocs += objects;
            counts.alloc_bytes += bytes;
        });
        counts.reallocs += view.n_reallocs();
        peak_bytes = peak_bytes.saturating_add(view.ranges(state).bytes.1);
    }
    counts.peak_bytes = u64::try_from(peak_bytes).unwrap_or(0).max(counts.live_bytes());
    counts
}
