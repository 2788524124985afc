//! What was alive after each call, by call site.

use std::time::{Duration, Instant};

use heaptide::SiteCounts;
use heaptide_format::SiteId;

/// What a test's call sites held after each of its calls, and before the first.
#[derive(Debug)]
pub(crate) struct Levels {
    start: Instant,
    sites: Vec<SiteLevels>,
    /// When each of the calls was over; the first entry is the start.
    times: Vec<Duration>,
    /// After which call a site was last seen to allocate that had not before.
    last_new_site: usize,
}

/// One call site: its counts after each call, less those before the first.
#[derive(Debug)]
pub(crate) struct SiteLevels {
    pub(crate) site: SiteId,
    before: SiteCounts,
    counts: Vec<SiteCounts>,
    is_used: bool,
}

impl Levels {
    /// From what the sites counted before the first call.
    pub(crate) fn new(before: &[SiteCounts]) -> Self {
        let sites = before.iter().map(|&counts| SiteLevels::new(counts, 0)).collect();
        Self { start: Instant::now(), sites, times: vec![Duration::ZERO], last_new_site: 0 }
    }

    /// Takes what the sites have counted after another call.
    pub(crate) fn push(&mut self, counts: &[SiteCounts]) {
        self.times.push(self.start.elapsed());
        for site in &mut self.sites {
            site.counts.extend(site.counts.last().copied());
        }
        self.correct(counts);
    }

    /// Takes it once more after the same call.
    pub(crate) fn correct(&mut self, counts: &[SiteCounts]) {
        let calls = self.calls();
        for (at, &now) in counts.iter().enumerate() {
            if at == self.sites.len() {
                self.sites.push(SiteLevels::new(SiteCounts::none(now.site), calls));
            }
            let site = &mut self.sites[at];
            site.counts[calls] = now;
            let has_begun = now.allocs > site.before.allocs || now.reallocs > site.before.reallocs;
            if has_begun && !site.is_used {
                site.is_used = true;
                self.last_new_site = calls;
            }
        }
    }

    /// How many calls there were.
    pub(crate) fn calls(&self) -> usize {
        self.times.len() - 1
    }

    /// How long they took.
    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// When a call was over.
    pub(crate) fn time_of(&self, call: usize) -> Duration {
        self.times[call]
    }

    /// After which call a site was last seen to allocate that had not before.
    pub(crate) fn last_new_site(&self) -> usize {
        self.last_new_site
    }

    pub(crate) fn sites(&self) -> impl Iterator<Item = &SiteLevels> {
        self.sites.iter().filter(|site| site.is_used)
    }

    /// Blocks alive after the last call, less those before the first.
    pub(crate) fn held_objects(&self) -> i64 {
        self.held_objects_after(self.calls())
    }

    /// Blocks alive after a call, less those before the first.
    pub(crate) fn held_objects_after(&self, call: usize) -> i64 {
        self.sites().map(|site| site.objects(call)).sum()
    }

    /// Bytes alive after the last call, less those before the first.
    pub(crate) fn held_bytes(&self) -> i64 {
        self.sites().map(|site| site.bytes(self.calls())).sum()
    }
}

impl SiteLevels {
    /// A site whose counts have stayed so up to this call.
    fn new(before: SiteCounts, calls: usize) -> Self {
        Self { site: before.site, before, counts: vec![before; calls + 1], is_used: false }
    }

    /// What it had counted after a call, since before the first.
    pub(crate) fn counts(&self, call: usize) -> SiteCounts {
        let (now, before) = (self.counts[call], self.before);
        SiteCounts {
            allocs: now.allocs - before.allocs,
            frees: now.frees - before.frees,
            alloc_bytes: now.alloc_bytes - before.alloc_bytes,
            freed_bytes: now.freed_bytes - before.freed_bytes,
            reallocs: now.reallocs - before.reallocs,
            ..now
        }
    }

    /// Blocks alive after a call, less those before the first.
    pub(crate) fn objects(&self, call: usize) -> i64 {
        let counts = self.counts(call);
        counts.allocs as i64 - counts.frees as i64
    }

    /// Bytes alive after a call, less those before the first.
    pub(crate) fn bytes(&self, call: usize) -> i64 {
        let counts = self.counts(call);
        counts.alloc_bytes as i64 - counts.freed_bytes as i64
    }

    /// Blocks alive after each call from this one on.
    pub(crate) fn objects_from(&self, call: usize) -> Vec<i64> {
        (call..self.counts.len()).map(|call| self.objects(call)).collect()
    }

    /// Bytes alive after each call from this one on.
    pub(crate) fn bytes_from(&self, call: usize) -> Vec<i64> {
        (call..self.counts.len()).map(|call| self.bytes(call)).collect()
    }
}
