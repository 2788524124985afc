//! The third pass over a recording: every site at every column.
//!
//! Which sites are worth a row of their own is known only when they have been judged, so this is a
//! pass of its own, made only for whoever draws.

use std::collections::{BTreeMap, HashMap};

use heaptide_format::SiteId;

use super::columns::Columns;
use super::run_view::{BornIn, Limits, Live, RunView, SiteView};
use crate::axis::Axis;
use crate::load::{Error, Recording, Threads};
use crate::run_report::RunReport;
use crate::series::{SlotCohort, each_slot};
use crate::site::Site;
use crate::verdict::Class;

/// A judged run, and which of its sites each site of the recording is part of.
#[derive(Debug)]
pub(crate) struct Members<'a> {
    pub(crate) recording: &'a Recording,
    pub(crate) axis: &'a Axis,
    pub(crate) sites: &'a [Site],
    pub(crate) site_of: &'a HashMap<SiteId, usize>,
    pub(crate) judged: &'a RunReport,
}

/// Reads the rows once more.
///
/// # Errors
/// Those of [`Recording::rows`].
pub(crate) fn read(run: &Members<'_>, limits: &Limits, threads: Threads) -> Result<RunView, Error> {
    let by_rank = ranked(run);
    let n_told = by_rank.len().min(limits.sites);
    let most_columns = (limits.cells / n_told.max(1)).clamp(8, limits.columns.max(8));
    let timeline = &run.recording.timeline;
    let columns = Columns::new(run.axis, timeline, most_columns);
    let told = &by_rank[..n_told];
    let mut rows = Rows {
        columns: &columns,
        place: (0..).zip(told).map(|(place, site)| (*site, place)).collect(),
        n_mapped: n_told.min(limits.cohort_maps),
        live: BTreeMap::new(),
        cohorts: BTreeMap::new(),
    };
    each_slot(run.recording, run.axis, threads, |slot, seen| {
        let column = columns.of_slot(slot);
        for (id, seen) in seen.observations() {
            rows.take(run.site_of.get(&id).copied(), id, column, Live::of(&seen.totals.counts));
            rows.take_cohorts(run.site_of.get(&id).copied(), id, column, seen.cohorts);
        }
    })?;
    let mut sites: Vec<SiteView> =
        told.iter().map(|site| site_view(run, *site, &columns)).collect();
    let mut other_sites = vec![Live::default(); columns.columns.len()];
    rows.spread(&mut sites, &mut other_sites);
    Ok(RunView {
        timeline: timeline.clone(),
        warm_up_columns: columns.before_slot(run.axis.warm_up()),
        mature_columns: columns.before_slot(run.axis.mature().end),
        columns: columns.columns,
        sites,
        n_other_sites: by_rank.len() - n_told,
        other_sites,
    })
}

/// Sites by how much they matter: those that grow, then the largest.
fn ranked(run: &Members<'_>) -> Vec<usize> {
    let mut sites: Vec<usize> = (0..run.sites.len()).collect();
    sites.sort_by_key(|&site| {
        let class = class_of(run, site);
        let live_bytes = run.sites[site].series.totals().counts.live_bytes;
        (class.min(Class::Saturating), std::cmp::Reverse(live_bytes), site)
    });
    sites
}

fn class_of(run: &Members<'_>, site: usize) -> Class {
    run.judged.class_of_site.get(&run.sites[site].subject.id).copied().unwrap_or_default()
}

fn site_view(run: &Members<'_>, site: usize, columns: &Columns) -> SiteView {
    let Site { subject, series, .. } = &run.sites[site];
    let mut survivors: Vec<BornIn> = Vec::new();
    for cohort in series.cohorts() {
        let column = columns.of_slot(Some(cohort.slot));
        let live = Live { objects: cohort.objects, bytes: cohort.bytes };
        match survivors.last_mut().filter(|last| last.column == column) {
            Some(last) => last.live.add(live),
            None => survivors.push(BornIn { column, live }),
        }
    }
    SiteView {
        subject: subject.clone(),
        class: class_of(run, site),
        counts: series.totals().counts,
        survivors,
        live: vec![Live::default(); columns.columns.len()],
        cohort_map: None,
    }
}

/// Of the columns in which a site has a row, what it says.
type ByColumn<T> = Vec<(usize, T)>;

/// What the rows say, by site of the recording; a site without a row stands as its last one says.
struct Rows<'a> {
    columns: &'a Columns,
    /// Where a judged site stands among those that are told.
    place: HashMap<usize, usize>,
    n_mapped: usize,
    live: BTreeMap<SiteId, (Option<usize>, ByColumn<Live>)>,
    cohorts: BTreeMap<SiteId, (usize, ByColumn<Vec<SlotCohort>>)>,
}

impl Rows<'_> {
    fn place(&self, site: Option<usize>) -> Option<usize> {
        site.and_then(|site| self.place.get(&site).copied())
    }

    fn take(&mut self, site: Option<usize>, id: SiteId, column: usize, live: Live) {
        let place = self.place(site);
        let (_, by_column) = self.live.entry(id).or_insert_with(|| (place, Vec::new()));
        put(by_column, column, live);
    }

    fn take_cohorts(
        &mut self,
        site: Option<usize>,
        id: SiteId,
        column: usize,
        cohorts: &[SlotCohort],
    ) {
        let Some(place) = self.place(site).filter(|place| *place < self.n_mapped) else { return };
        let (_, by_column) = self.cohorts.entry(id).or_insert_with(|| (place, Vec::new()));
        put(by_column, column, cohorts.to_vec());
    }

    /// Fills in the columns without a row, and adds up what is one judged site.
    fn spread(self, sites: &mut [SiteView], other_sites: &mut [Live]) {
        for (place, by_column) in self.live.into_values() {
            let sums = match place {
                Some(place) => &mut sites[place].live,
                None => &mut *other_sites,
            };
            each_column(&by_column, sums.len(), |column, live| sums[column].add(*live));
        }
        let n_columns = self.columns.columns.len();
        let (columns, n_judged) = (self.columns, self.columns.n_judged());
        for (place, by_column) in self.cohorts.into_values() {
            let map = sites[place].cohort_map.get_or_insert_with(|| {
                (0..n_columns).map(|column| vec![0; (column + 1).min(n_judged)]).collect()
            });
            each_column(&by_column, n_columns, |column, cohorts| {
                for cohort in cohorts {
                    let born = columns.of_slot(Some(cohort.slot)).min(column);
                    if let Some(bytes) = map[column].get_mut(born) {
                        *bytes = bytes.saturating_add(cohort.bytes);
                    }
                }
            });
        }
    }
}

/// Columns come in order; the last row of one stands for it.
fn put<T>(by_column: &mut Vec<(usize, T)>, column: usize, value: T) {
    match by_column.last_mut().filter(|(last, _)| *last == column) {
        Some((_, last)) => *last = value,
        None => by_column.push((column, value)),
    }
}

fn each_column<T>(by_column: &[(usize, T)], n_columns: usize, mut take: impl FnMut(usize, &T)) {
    for (k, (from, value)) in by_column.iter().enumerate() {
        let until = by_column.get(k + 1).map_or(n_columns, |(next, _)| *next);
        (*from..until).for_each(|column| take(column, value));
    }
}
