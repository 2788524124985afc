//! The numbers of a site that do not go by slot.

use heaptide_format::SiteRow;

use crate::axis::Axis;

/// The cumulative and final numbers of a site.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// Blocks allocated.
    pub allocs: u64,
    /// Blocks freed.
    pub frees: u64,
    /// Bytes asked for.
    pub alloc_bytes: u64,
    /// Bytes given back.
    pub freed_bytes: u64,
    /// Successful `realloc` calls.
    pub reallocs: u64,
    /// Live blocks at the last judged snapshot.
    pub live_objects: u64,
    /// Live bytes at the last judged snapshot.
    pub live_bytes: u64,
    /// Size of the largest block so far.
    pub largest_bytes: u64,
    /// Time since the recording began at which a free was last seen.
    pub last_free_ns: Option<u64>,
    /// Standard error of `live_objects` in a sampled recording, else 0.
    pub objects_error: f64,
    /// Standard error of `live_bytes` in a sampled recording, else 0.
    pub bytes_error: f64,
    /// Live blocks when the program exited, if the site changed after the last judged snapshot.
    pub objects_at_exit: Option<u64>,
}

impl Totals {
    /// What a row says.
    pub(super) fn of(axis: &Axis, row: &SiteRow) -> Self {
        Self {
            allocs: row.allocs,
            frees: row.frees,
            alloc_bytes: row.alloc_bytes,
            freed_bytes: row.freed_bytes,
            reallocs: row.reallocs,
            live_objects: row.live_objects,
            live_bytes: row.live_bytes,
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
    let at_exit = |totals: &Totals| totals.objects_at_exit.unwrap_or(totals.live_objects);
    let seen_at_exit = a.objects_at_exit.is_some() || b.objects_at_exit.is_some();
    Totals {
        allocs: a.allocs.saturating_add(b.allocs),
        frees: a.frees.saturating_add(b.frees),
        alloc_bytes: a.alloc_bytes.saturating_add(b.alloc_bytes),
        freed_bytes: a.freed_bytes.saturating_add(b.freed_bytes),
        reallocs: a.reallocs.saturating_add(b.reallocs),
        live_objects: a.live_objects.saturating_add(b.live_objects),
        live_bytes: a.live_bytes.saturating_add(b.live_bytes),
        largest_bytes: a.largest_bytes.max(b.largest_bytes),
        last_free_ns: a.last_free_ns.max(b.last_free_ns),
        objects_error: a.objects_error.hypot(b.objects_error),
        bytes_error: a.bytes_error.hypot(b.bytes_error),
        objects_at_exit: seen_at_exit.then(|| at_exit(a).saturating_add(at_exit(b))),
    }
}
