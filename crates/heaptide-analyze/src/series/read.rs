//! The second pass over a recording: its rows, summed up into a series for each site.
//!
//! Slots are read side by side and taken in their order, so that the series are the same on any
//! number of threads.

use std::collections::{BTreeMap, HashMap};

use heaptide_format::SiteId;

use super::site_series::SiteSeries;
use super::slot_rows::{SlotRows, Span, spans};
use crate::axis::Axis;
use crate::load::{Error, Recording, SnapshotLines, Threads, Warning, Warnings, in_order};

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
    let warnings = each_slot(recording, axis, threads, |slot, rows| {
        for (id, seen) in rows.observations() {
            let index = *index_by_site.entry(id).or_insert(series.len());
            if index == series.len() {
                series.push((id, SiteSeries::new()));
            }
            series[index].1.observe_slot(axis_of(id), slot, &seen);
        }
    })?;
    series.iter_mut().for_each(|(id, series)| series.close(axis_of(*id)));
    Ok((series.into_iter().collect(), warnings))
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
    let mut rows = SlotRows::new(axis);
    for k in span.points.clone().rev() {
        if let Err(cause) = recording.read_rows(lines, k, &mut rows)? {
            rows.damage.push((k, cause));
        }
    }
    Ok((span.slot, rows))
}
