//! What the analyzer makes of a recording, and how the heap really grew.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use heaptide_analyze::Terms;
use heaptide_analyze::finding::Finding;
use heaptide_analyze::identity::{self, NamedFrame};
use heaptide_analyze::load::Timeline;
use heaptide_analyze::load::load_one;
use heaptide_analyze::symbols::ElfResolver;
use heaptide_analyze::verdict::Class;

pub(crate) struct Judgement {
    /// The worst that was found: leak, suspect, or stable.
    pub(crate) class: Class,
    /// Where, if it leaks or is suspect: the first finding.
    pub(crate) place: Option<Place>,
    pub(crate) growth: Growth,
}

/// The function that a finding blames.
pub(crate) struct Place {
    pub(crate) in_crate: String,
    /// Plain path: without hash, closures and generic arguments.
    pub(crate) function: String,
    /// Plain path, file and line.
    pub(crate) shown: String,
}

/// How the whole heap grew per operation, from the first snapshot to the last before the end.
pub(crate) struct Growth {
    pub(crate) objects_per_op: f64,
    pub(crate) bytes_per_op: f64,
}

/// Judges a recording by the default policy.
pub(crate) fn of(recording: &Path) -> Result<Judgement> {
    let mut resolver = ElfResolver::new(Vec::new());
    let report =
        heaptide_analyze::judge(&[recording.to_owned()], &mut resolver, &Terms::default())?;
    let worst = report.findings().next();
    Ok(Judgement {
        class: worst.map_or(Class::Stable, |finding| finding.class),
        place: worst.map(Place::of),
        growth: Growth::of(&load_one(recording)?.0.timeline),
    })
}

impl Place {
    fn of(finding: &Finding) -> Self {
        let NamedFrame { file, line, .. } = &*finding.blamed;
        let function = identity::plain(&finding.blamed.function);
        let file = file.as_deref().and_then(|file| Path::new(file).file_name()).unwrap_or_default();
        let shown = format!("{function} {}:{}", file.display(), line.unwrap_or_default());
        let in_crate = function.split("::").next().unwrap_or_default().to_owned();
        Self { in_crate, function, shown }
    }
}

impl Growth {
    fn of(timeline: &Timeline) -> Self {
        // The last snapshot is taken at the end, after whatever the program had still to free.
        let points = timeline.points.split_last().map_or(&[][..], |(_, before)| before);
        let (Some(first), Some(last)) = (points.first(), points.last()) else {
            return Self { objects_per_op: 0.0, bytes_per_op: 0.0 };
        };
        let work = |work: &BTreeMap<String, u64>| work.get("ops").copied().unwrap_or_default();
        let done = (work(&last.work) - work(&first.work)).max(1) as f64;
        let objects = last.heap.live_objects as f64 - first.heap.live_objects as f64;
        let bytes = last.heap.live_bytes as f64 - first.heap.live_bytes as f64;
        Self { objects_per_op: objects / done, bytes_per_op: bytes / done }
    }
}
