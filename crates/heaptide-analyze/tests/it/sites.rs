//! Sites with known counts: runs of 40 snapshots or so, a hundred requests in each.

use std::sync::Arc;

use heaptide_analyze::axis::Axis;
use heaptide_analyze::identity::{NamedFrame, Origin, SharedFrame};
use heaptide_analyze::load::Timeline;
use heaptide_analyze::{Site, Subject};
use heaptide_format::SiteId;
use heaptide_synthetic::{Born, Process, rows, series};

/// A process that may use a gibibyte.
pub(crate) fn timeline(n: u32) -> Timeline {
    let mut process = Process::of_snapshots(n);
    process.header.memory_limit_bytes = Some(1 << 30);
    process.timeline()
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
    let subject = Subject {
        id,
        path: function.into(),
        tag: None,
        blamed,
        via: None,
        grew_at: None,
        spawned_by: None,
        stack,
    };
    let born = |epoch| vec![Born::for_ever(counts(epoch)).of_bytes(64)];
    let series = series(axis, &rows(SiteId(1), axis.len() as u32, born));
    Site { subject, axis: Arc::clone(axis), series }
}
