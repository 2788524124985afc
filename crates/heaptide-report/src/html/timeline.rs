//! The process over time, as the page draws it.

use std::collections::BTreeMap;

use heaptide_analyze::load::Point;
use heaptide_analyze::process::{PartName, of_account};
use serde::Serialize;

use crate::parts::{STACKED, with_parts};

/// More points than a wide screen has columns of pixels show nothing more.
const MOST_POINTS: usize = 1_200;

/// One number a drawn snapshot, in each list.
#[derive(Debug, Serialize)]
pub(super) struct TimelineData {
    /// Snapshots there are; as many are drawn as `t` is long.
    n_snapshots: usize,
    /// Seconds since the recording began.
    t: Vec<f64>,
    heap: Vec<u64>,
    rss: Vec<u64>,
    work: BTreeMap<String, Vec<u64>>,
    parts: Option<Vec<PartData>>,
}

#[derive(Debug, Serialize)]
struct PartData {
    name: &'static str,
    /// Absent at snapshots that did not read the parts.
    bytes: Vec<Option<u64>>,
}

impl TimelineData {
    pub(super) fn of(points: &[Point]) -> Self {
        let drawn = drawn(points);
        let of = |value: fn(&Point) -> u64| drawn.iter().map(|point| value(point)).collect();
        let last_work = points.last().map(|last| &last.work);
        let counters = last_work.into_iter().flat_map(BTreeMap::keys);
        let work = counters.map(|name| {
            let done = drawn.iter().map(|point| point.work.get(name).copied().unwrap_or(0));
            (name.clone(), done.collect())
        });
        Self {
            n_snapshots: points.len(),
            t: drawn.iter().map(|point| point.elapsed_ns as f64 / 1e9).collect(),
            heap: of(|point| point.heap.live_bytes),
            rss: of(|point| point.rss_bytes),
            work: work.collect(),
            parts: parts(&drawn),
        }
    }
}

fn parts(drawn: &[&Point]) -> Option<Vec<PartData>> {
    let series = |name: PartName| PartData {
        name: name.word(),
        bytes: drawn.iter().map(|point| of_account(name, with_parts(point)?)).collect(),
    };
    let is_known = drawn.iter().any(|point| with_parts(point).is_some());
    is_known.then(|| STACKED.into_iter().map(series).collect())
}

/// Of each span the snapshot with the largest heap, so that no peak is lost; always the last.
fn drawn(points: &[Point]) -> Vec<&Point> {
    let per_span = points.len().div_ceil(MOST_POINTS).max(1);
    let mut drawn: Vec<&Point> = points
        .chunks(per_span)
        .filter_map(|span| span.iter().max_by_key(|point| point.heap.live_bytes))
        .collect();
    if let (Some(shown), Some(last)) = (drawn.last_mut(), points.last()) {
        *shown = last;
    }
    drawn
}

#[cfg(test)]
mod tests {
    use heaptide_format::HeapTotals;

    use super::*;

    #[test]
    fn a_long_run_is_drawn_with_its_peaks_and_its_end() {
        let point = |k: u64| Point {
            seq: k,
            heap: HeapTotals {
                live_bytes: if k == 7_777 { 900 } else { 10 },
                ..HeapTotals::default()
            },
            ..Point::default()
        };
        let points: Vec<Point> = (0..100_000).map(point).collect();
        let drawn = drawn(&points);
        assert!(drawn.len() <= MOST_POINTS, "{}", drawn.len());
        assert!(drawn.iter().any(|point| point.heap.live_bytes == 900));
        assert_eq!(drawn.last().map(|last| last.seq), Some(99_999));
        assert_eq!(super::drawn(&[]).len(), 0);
    }
}
