//! Sites written down by hand: runs of 40 snapshots or so, a hundred requests in each.

use std::collections::BTreeMap;
use std::sync::Arc;

use heaptide_analyze::Site;
use heaptide_analyze::Subject;
use heaptide_analyze::axis::Axis;
use heaptide_analyze::identity::{NamedFrame, Origin, SharedFrame};
use heaptide_analyze::load::{Point, Timeline};
use heaptide_analyze::series::SiteSeries;
use heaptide_format::{Cohort, Epoch, SiteId, SiteRow};

pub(crate) fn timeline(n: u32) -> Timeline {
    let point = |k: u32| Point {
        seq: u64::from(k),
        elapsed_ns: u64::from(k + 1) * 5_000_000_000,
        epoch: Epoch(k),
        work: BTreeMap::from([("requests".into(), u64::from(k + 1) * 100)]),
        rss_bytes: 1 << 20,
        ..Point::default()
    };
    let mut timeline = Timeline { points: (0..n).map(point).collect(), ..Timeline::default() };
    timeline.header.memory_limit_bytes = Some(1 << 30);
    timeline
}

fn frame(function: &str, origin: Origin) -> SharedFrame {
    NamedFrame { function: function.into(), origin, ..NamedFrame::default() }.into()
}

/// A site that keeps `counts(epoch)` blocks of each epoch; the workspace's own are called from
/// `shop::handle`, a dependency's from its own threads.
pub(crate) fn site(
    axis: &Arc<Axis>,
    function: &str,
    origin: Origin,
    counts: impl Fn(u32) -> u64,
) -> Site {
    let blamed = frame(function, origin.clone());
    let mut stack = vec![blamed.clone()];
    if origin == Origin::Workspace {
        stack.push(frame("shop::handle", origin));
    }
    let id = format!("{:08x}", function.len() * 7919);
    let subject = Subject { id, path: function.into(), tag: None, blamed, stack };
    let mut series = SiteSeries::new();
    for k in 0..axis.len() as u32 {
        let cohorts: Vec<Cohort> =
            (0..=k).map(|e| Cohort(Epoch(e), counts(e), counts(e) * 64)).collect();
        let objects = cohorts.iter().map(|cohort| cohort.1).sum();
        let row = SiteRow {
            site: SiteId(1),
            allocs: objects,
            frees: 0,
            alloc_bytes: objects * 64,
            freed_bytes: 0,
            reallocs: 0,
            live_objects: objects,
            live_bytes: objects * 64,
            objects_range: None,
            bytes_range: None,
            cohorts,
            largest_bytes: 64,
            growth: Vec::new(),
            last_free_ns: None,
            objects_error: None,
            bytes_error: None,
        };
        series.observe(axis, k as usize, &row);
    }
    series.close(axis);
    Site { subject, axis: Arc::clone(axis), series }
}
