//! The second pass over a recording: its rows, summed up into a series for each site.
//!
//! Slots are read side by side and taken in their order, so that the series are the same on any
//! number of threads.

use std::collections::{BTreeMap, HashMap};

use heaptide_format::{HeapTotals, SiteId};

use super::site_series::SiteSeries;
use super::slot_rows::{SlotRows, Span, spans};
use crate::axis::Axis;
use crate::load::{
    Contradiction, Error, Recording, SnapshotLines, Threads, Warning, Warnings, in_order, of_site,
    of_sum,
};

/// What [`read`] gives: a closed series for each site that has a row.
pub type SeriesAndWarnings = (BTreeMap<SiteId, SiteSeries>, Vec<Warning>);

/// Sums up every site of a recording on its own axis, as `axis_of` gives it; the series are closed.
/// All axes have the slots of `axis`, and differ in when blocks are old enough. The lines are parsed
/// on `threads` threads, and the result is the same on any number of them.
///
/// # Errors
/// Those of [`Recording::rows`], and [`Error::NoThread`].
pub fn read<'a>(
    recording: &Recording,
    axis: &Axis,
    axis_of: impl Fn(SiteId) -> &'a Axis,
    threads: Threads,
) -> Result<SeriesAndWarnings, Error> {
    // Rows mostly come by site, and then so do their series: one after another in memory.
    let n_sites = recording.sites.len();
    let mut series: Vec<(SiteId, SiteSeries)> = Vec::with_capacity(n_sites);
    let mut index_by_site: HashMap<SiteId, usize> = HashMap::with_capacity(n_sites);
    let mut wrong = Vec::new();
    // The last snapshot that is judged, and whether all rows up to it were read.
    let (mut last, mut is_whole) = (None, recording.is_whole());
    let mut warnings = each_slot(recording, axis, threads, |slot, rows| {
        for (id, seen) in rows.observations() {
            let index = *index_by_site.entry(id).or_insert(series.len());
            if index == series.len() {
                series.push((id, SiteSeries::new()));
            }
            let series = &mut series[index].1;
            let goes_back = of_site(id.0, &series.totals().counts, &seen.totals.counts);
            wrong.extend(goes_back.map(|it| (rows.last_point, it)));
            series.observe_slot(axis_of(id), slot, &seen);
        }
        is_whole &= rows.damage.is_empty();
        if slot.is_some() {
            last = Some(rows.last_point);
        }
    })?;
    series.iter_mut().for_each(|(id, series)| series.close(axis_of(*id)));
    wrong.extend(last.filter(|_| is_whole).and_then(|last| wrong_sum(recording, last, &series)));
    let mut more = Warnings::default();
    wrong.into_iter().for_each(|(k, wrong)| recording.warn_of(k, wrong, &mut more));
    warnings.extend(more.into_vec());
    Ok((series.into_iter().collect(), warnings))
}

/// What the heap at a snapshot contradicts the sum over all sites in.
fn wrong_sum(
    recording: &Recording,
    last: usize,
    series: &[(SiteId, SiteSeries)],
) -> Option<(usize, Contradiction)> {
    let counts = series.iter().map(|(_, series)| series.totals().counts);
    let sum = counts.fold(HeapTotals::default(), |sum, counts| sum + counts);
    let heap = &recording.timeline.points.get(last)?.heap;
    of_sum(heap, &sum).map(|wrong| (last, wrong))
}

/// Hands over what each slot of `axis` saw, oldest first; `None` are the snapshots that are not
/// judged. Slots are read side by side.
///
/// # Errors
/// Those of [`Recording::rows`], and [`Error::NoThread`].
pub(crate) fn each_slot(
    recording: &Recording,
    axis: &Axis,
    threads: Threads,
    mut take: impl FnMut(Option<usize>, &SlotRows<'_>),
) -> Result<Vec<Warning>, Error> {
    let spans = spans(axis, recording.timeline.points.len());
    let mut warnings = Warnings::default();
    let read = |lines: &mut SnapshotLines, k: usize| slot_rows(recording, lines, axis, &spans[k]);
    in_order(0..spans.len(), threads, read, |(slot, rows): (_, SlotRows<'_>)| {
        take(slot, &rows);
        for (k, cause) in rows.damage.into_iter().rev() {
            recording.warn_of_damage(k, cause, &mut warnings);
        }
        for (k, wrong) in rows.contradictions.into_iter().rev() {
            recording.warn_of(k, wrong, &mut warnings);
        }
    })?;
    Ok(warnings.into_vec())
}

/// Reads the snapshots of one slot, the last one first: of the earlier rows little is needed.
fn slot_rows<'a>(
    recording: &Recording,
    lines: &mut SnapshotLines,
    axis: &'a Axis,
    span: &Span,
) -> Result<(Option<usize>, SlotRows<'a>), Error> {
    let points = &recording.timeline.points;
    let has_sums = points.last().is_none_or(|last| last.dropped.overruns == 0);
    let mut rows = SlotRows::new(axis, has_sums);
    for k in span.points.clone().rev() {
        rows.begin(k, points[k].epoch);
        if let Err(cause) = recording.read_rows(lines, k, &mut rows)? {
            rows.damage.push((k, cause));
        }
    }
    Ok((span.slot, rows))
}
