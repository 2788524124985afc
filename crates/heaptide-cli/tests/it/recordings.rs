//! Small recordings, written by hand: one site that leaks, or not.

use std::collections::BTreeMap;

use heaptide_format::{
    Cohort, Epoch, Frame, Header, HeapTotals, Line, Module, ModuleId, ModuleOffset, Name,
    NamedOffset, Names, Site, SiteId, SiteRow, Snapshot,
};

const SITE: SiteId = SiteId(1);
const OFFSET: ModuleOffset = ModuleOffset(0x1000);
const BORN_PER_EPOCH: u64 = 10;
const BYTES: u64 = 64;

/// Forty snapshots; nothing is ever freed.
pub(crate) fn leaking() -> Vec<u8> {
    recording(session_create(), 40, u32::MAX)
}

/// Like [`leaking`], in a crate whose source lies in the registry's directory.
pub(crate) fn vendored() -> Vec<u8> {
    let function = "session_store::Store::create".into();
    let file = Some("/c/registry/src/index-1a/session-store-1.2.3/src/lib.rs".into());
    recording(Name { function, file, line: Some(9) }, 40, u32::MAX)
}

/// Forty snapshots; whatever is three epochs old has been freed.
pub(crate) fn clean() -> Vec<u8> {
    recording(session_create(), 40, 3)
}

/// Like [`leaking`], but stopped early.
pub(crate) fn short() -> Vec<u8> {
    recording(session_create(), 6, u32::MAX)
}

/// Of a version that does not exist yet.
pub(crate) fn newer() -> Vec<u8> {
    let mut out = Vec::new();
    let format = heaptide_format::FORMAT_VERSION + 1;
    Line::Header(Header { format, ..header() }).write_to(&mut out);
    out
}

fn header() -> Header {
    Header {
        format: heaptide_format::FORMAT_VERSION,
        writer: "by hand".into(),
        recording: "r1".into(),
        pid: 4711,
        exe: "shop".into(),
        interval_ns: 1_000_000_000,
        ..Header::default()
    }
}

fn session_create() -> Name {
    Name {
        function: "shop::session::Sessions::create".into(),
        file: Some("src/session.rs".into()),
        line: Some(88),
    }
}

fn recording(name: Name, n_snapshots: u32, lifetime_epochs: u32) -> Vec<u8> {
    let module = ModuleId(0);
    let frame = Frame { module: Some(module), offset: OFFSET };
    let offsets = vec![NamedOffset { offset: OFFSET, names: vec![name] }];
    let mut lines = vec![
        Line::Header(header()),
        Line::Module(Module {
            id: module,
            path: "shop".into(),
            build_id: None,
            bias: ModuleOffset(0),
        }),
        Line::Names(Names { module, offsets }),
        Line::Site(Site { id: SITE, tag: None, frames: vec![frame], truncated: false }),
    ];
    lines.extend((0..n_snapshots).map(|k| Line::Snapshot(snapshot(k, lifetime_epochs))));
    let mut out = Vec::new();
    lines.iter().for_each(|line| line.write_to(&mut out));
    out
}

fn snapshot(k: u32, lifetime_epochs: u32) -> Snapshot {
    let oldest = (k + 1).saturating_sub(lifetime_epochs);
    let born = u64::from(k + 1) * BORN_PER_EPOCH;
    let freed = u64::from(oldest) * BORN_PER_EPOCH;
    let cohorts = (oldest..=k).map(|e| Cohort(Epoch(e), BORN_PER_EPOCH, BORN_PER_EPOCH * BYTES));
    let row = SiteRow {
        site: SITE,
        allocs: born,
        frees: freed,
        alloc_bytes: born * BYTES,
        freed_bytes: freed * BYTES,
        reallocs: 0,
        live_objects: born - freed,
        live_bytes: (born - freed) * BYTES,
        objects_range: None,
        bytes_range: None,
        cohorts: cohorts.collect(),
        largest_bytes: BYTES,
        growth: Vec::new(),
        last_free_ns: (freed > 0).then(|| u64::from(k) * 1_000_000_000),
        objects_error: None,
        bytes_error: None,
    };
    let heap = HeapTotals {
        allocs: row.allocs,
        frees: row.frees,
        alloc_bytes: row.alloc_bytes,
        freed_bytes: row.freed_bytes,
        reallocs: 0,
        live_objects: row.live_objects,
        live_bytes: row.live_bytes,
    };
    Snapshot {
        seq: k.into(),
        mono_ns: u64::from(k + 1) * 1_000_000_000,
        epoch: Epoch(k),
        work: BTreeMap::from([("requests".into(), born)]),
        heap,
        sites: vec![row],
        ..Snapshot::default()
    }
}
