//! The numbers of a site that do not go by slot.

use heaptide_format::{HeapTotals, SiteRow};

use crate::axis::Axis;

/// The cumulative and final numbers of a site.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// The cumulative and live numbers at the last judged snapshot.
    pub counts: HeapTotals,
    /// Size of the largest block so far.
    pub largest_bytes: u64,
    /// Time since the recording began at which a free was last seen.
    pub last_free_ns: Option<u64>,
    /// Standard error of the live blocks in a sampled recording, else 0.
    pub objects_error: f64,
    /// Standard error of the live bytes in a sampled recording, else 0.
    pub bytes_error: f64,
    /// Live blocks when the program exited, if the site changed after the last judged snapshot.
    pub objects_at_exit: Option<u64>,
}

impl Totals {
    /// What a row says.
    pub(super) fn of(axis: &Axis, row: &SiteRow) -> Self {
        Self {
            counts: row.counts(),
            largest_bytes: row.largest_bytes,
            last_free_ns: row.last_free_ns.map(|mono_ns| axis.elapsed_ns(mono_ns)),
            objects_error: finite(row.objects_error),
            bytes_error: finite(row.bytes_error),
            objects_at_exit: None,
        }
    }
}

fn finite(error: Option<f64>) -> f64 {
    error.filter(|error| error.is_finite() && *error > 0.0).unwrap_or(0.0)
}

pub(super) fn sum_totals(a: &Totals, b: &Totals) -> Totals {
    let at_exit = |totals: &Totals| totals.objects_at_exit.unwrap_or(totals.counts.live_objects);
    let seen_at_exit = a.objects_at_exit.is_some() || b.objects_at_exit.is_some();
    Totals {
        counts: a.counts + b.counts,
        largest_bytes: a.largest_bytes.max(b.largest_bytes),
        last_free_ns: a.last_free_ns.max(b.last_free_ns),
        objects_error: a.objects_error.hypot(b.objects_error),
        bytes_error: a.bytes_error.hypot(b.bytes_error),
        objects_at_exit: seen_at_exit.then(|| at_exit(a).saturating_add(at_exit(b))),
    }
}
