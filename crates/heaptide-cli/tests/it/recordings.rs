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

/// Sixty sites, of which twenty leak alike, and a damaged line: much that could come in any order.
pub(crate) fn busy() -> Vec<u8> {
    const SITES: u32 = 60;
    let (leaking, clean) =
        (Program::default(), Program { lifetime_epochs: 3, ..Program::default() });
    let at = |id: u32| ModuleOffset(0x1000 + u64::from(id) * 0x40);
    let named = |id: u32| {
        let function = format!("shop::module_{}::create_{id}", id % 7);
        let file = Some(format!("src/module_{}.rs", id % 7));
        NamedOffset { offset: at(id), names: vec![Name { function, file, line: Some(id) }] }
    };
    let site = |id: u32| {
        let frames = vec![Frame { module: Some(ModuleId(0)), offset: at(id) }];
        Line::Site(Site { id: SiteId(id), tag: None, frames, truncated: false })
    };
    let row = |k: u32, id: u32| {
        let of = if id.is_multiple_of(3) { &leaking } else { &clean };
        snapshot(k, of).sites.into_iter().map(move |row| SiteRow { site: SiteId(id), ..row })
    };
    let mut lines = vec![Line::Header(header()), module()];
    lines
        .push(Line::Names(Names { module: ModuleId(0), offsets: (0..SITES).map(named).collect() }));
    lines.extend((0..SITES).map(site));
    lines.extend((0..leaking.snapshots).map(|k| {
        let sites = (0..SITES).flat_map(|id| row(k, id)).collect();
        Line::Snapshot(Snapshot { sites, ..snapshot(k, &leaking) })
    }));
    let mut out = Vec::new();
    lines.iter().for_each(|line| line.write_to(&mut out));
    let cohorts = out.windows(11).rposition(|here| here == b"\"cohorts\":[").expect("cohorts");
    out[cohorts + 11] = b'!';
    out
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

fn module() -> Line {
    let (id, path, bias) = (ModuleId(0), "shop".into(), ModuleOffset(0));
    Line::Module(Module { id, path, build_id: None, bias })
}

fn recording(program: Program) -> Vec<u8> {
    let frame = Frame { module: Some(ModuleId(0)), offset: OFFSET };
    let offsets = vec![NamedOffset { offset: OFFSET, names: vec![program.create.clone()] }];
    let mut lines = vec![
        Line::Header(header()),
        module(),
        Line::Names(Names { module: ModuleId(0), offsets }),
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
