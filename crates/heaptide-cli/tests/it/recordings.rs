//! Small recordings, written by hand: one site that leaks, or not.

use std::collections::BTreeMap;

use heaptide_format::{
    Cohort, Epoch, Frame, Header, HeapTotals, Line, Module, ModuleId, ModuleOffset, Name,
    NamedOffset, Names, Site, SiteId, SiteRow, Snapshot,
};

const SITE: SiteId = SiteId(1);
const OFFSET: ModuleOffset = ModuleOffset(0x1000);
const BORN_PER_EPOCH: u64 = 10;

/// What is recorded of a program: one site, which keeps ten blocks a snapshot, ten requests long.
struct Program {
    create: Name,
    snapshots: u32,
    lifetime_epochs: u32,
    block_bytes: u64,
}

impl Default for Program {
    fn default() -> Self {
        let create = Name {
            function: "shop::session::Sessions::create".into(),
            file: Some("src/session.rs".into()),
            line: Some(88),
        };
        Self { create, snapshots: 40, lifetime_epochs: u32::MAX, block_bytes: 64 }
    }
}

/// Forty snapshots; nothing is ever freed.
pub(crate) fn leaking() -> Vec<u8> {
    recording(Program::default())
}

/// Like [`leaking`], each block twice as large.
pub(crate) fn worse() -> Vec<u8> {
    recording(Program { block_bytes: 128, ..Program::default() })
}

/// Like [`leaking`], in a crate whose source lies in the registry's directory.
pub(crate) fn vendored() -> Vec<u8> {
    let function = "session_store::Store::create".into();
    let file = Some("/c/registry/src/index-1a/session-store-1.2.3/src/lib.rs".into());
    let create = Name { function, file, line: Some(9) };
    recording(Program { create, ..Program::default() })
}

/// Forty snapshots; whatever is three epochs old has been freed.
pub(crate) fn clean() -> Vec<u8> {
    recording(Program { lifetime_epochs: 3, ..Program::default() })
}

/// Like [`leaking`], but stopped early.
pub(crate) fn short() -> Vec<u8> {
    recording(Program { snapshots: 6, ..Program::default() })
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

fn recording(program: Program) -> Vec<u8> {
    let module = ModuleId(0);
    let frame = Frame { module: Some(module), offset: OFFSET };
    let offsets = vec![NamedOffset { offset: OFFSET, names: vec![program.create.clone()] }];
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
    lines.extend((0..program.snapshots).map(|k| Line::Snapshot(snapshot(k, &program))));
    let mut out = Vec::new();
    lines.iter().for_each(|line| line.write_to(&mut out));
    out
}

fn snapshot(k: u32, program: &Program) -> Snapshot {
    let bytes = program.block_bytes;
    let oldest = (k + 1).saturating_sub(program.lifetime_epochs);
    let born = u64::from(k + 1) * BORN_PER_EPOCH;
    let freed = u64::from(oldest) * BORN_PER_EPOCH;
    let cohorts = (oldest..=k).map(|e| Cohort(Epoch(e), BORN_PER_EPOCH, BORN_PER_EPOCH * bytes));
    let row = SiteRow {
        site: SITE,
        allocs: born,
        frees: freed,
        alloc_bytes: born * bytes,
        freed_bytes: freed * bytes,
        reallocs: 0,
        live_objects: born - freed,
        live_bytes: (born - freed) * bytes,
        objects_range: None,
        bytes_range: None,
        cohorts: cohorts.collect(),
        largest_bytes: bytes,
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
