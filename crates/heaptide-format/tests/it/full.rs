//! One line of each kind with every member set.
//!
//! The structs are spelt out without `..Default`, so a new member stops this file from compiling
//! until it is added here, and then the tests of document and schema ask for it there.

use std::collections::BTreeMap;

use heaptide_format::{
    Account, Budget, Children, Cohort, Dropped, Epoch, Frame, Growth, Header, HeapTotals, Line,
    Mode, Module, ModuleId, ModuleOffset, Name, NamedOffset, Names, Parent, Parts, PartsSource,
    Reason, Site, SiteId, SiteRow, Snapshot, TagTotals, Unwinding,
};

/// One line of each kind.
pub(crate) fn lines() -> [Line; 5] {
    [
        Line::Header(header()),
        Line::Module(Module {
            id: ModuleId(0),
            path: "/srv/shop".into(),
            build_id: Some("9ac3".into()),
            bias: ModuleOffset(0x5500_0000_0000),
        }),
        Line::Names(names()),
        Line::Site(Site {
            id: SiteId(1),
            tag: Some("checkout".into()),
            frames: vec![Frame { module: Some(ModuleId(0)), offset: ModuleOffset(0x1a2b) }],
            truncated: true,
        }),
        Line::Snapshot(snapshot()),
    ]
}

fn header() -> Header {
    Header {
        format: heaptide_format::FORMAT_VERSION,
        writer: "heaptide 0.1.0".into(),
        recording: "1-2".into(),
        segment: 1,
        pid: 42,
        exe: "/srv/shop".into(),
        build_id: Some("9ac3".into()),
        host: "shop-7".into(),
        arch: "x86_64".into(),
        start_unix_ns: 1,
        start_mono_ns: 2,
        mode: Mode::Sampled { period_bytes: 524_288 },
        interval_ns: 3,
        signal: Some("USR2".into()),
        inner: "std::alloc::System".into(),
        unwinder: "eh_frame".into(),
        shim_sources: vec!["/srv/heaptide/src".into()],
        memory_limit_bytes: Some(4),
        machine_bytes: Some(5),
        budget_bytes: Some(6),
        frames: Some(10),
        parent: Some(Parent { pid: 41, recording: "1-1".into() }),
    }
}

fn names() -> Names {
    let name =
        Name { function: "shop::login".into(), file: Some("src/main.rs".into()), line: Some(88) };
    Names {
        module: ModuleId(0),
        offsets: vec![NamedOffset { offset: ModuleOffset(0x1a2b), names: vec![name] }],
    }
}

fn snapshot() -> Snapshot {
    Snapshot {
        seq: 1,
        mono_ns: 2,
        epoch: Epoch(1),
        reason: Reason::Call,
        work: BTreeMap::from([("requests".into(), 100)]),
        tags: vec![TagTotals { tag: "checkout".into(), live_objects: 1, live_bytes: 2 }],
        heap: HeapTotals {
            allocs: 3,
            frees: 1,
            alloc_bytes: 96,
            freed_bytes: 32,
            reallocs: 1,
            live_objects: 2,
            live_bytes: 64,
        },
        rss_bytes: 5,
        cgroup_bytes: Some(6),
        dropped: Dropped {
            sites: 1,
            frames: 2,
            samples: 3,
            blocks: 4,
            overruns: 5,
            snapshots: 6,
            segments: 7,
        },
        unwinding: Some(Unwinding { misses: 2, uncacheable: 1 }),
        freed_from_before: 5,
        own_bytes: 7,
        frames_kept: Some(4),
        budget: Some(Budget { taken_bytes: 3, refused: 2 }),
        children: Some(Children { forked: 4, recorded: 3, finished: 2, brief: 1, followed: true }),
        account: Some(account()),
        sites: vec![row()],
    }
}

fn account() -> Account {
    Account {
        anonymous_resident_bytes: 1,
        file_resident_bytes: 2,
        shared_resident_bytes: 3,
        swap_bytes: 4,
        threads: 5,
        descriptors: Some(6),
        cpu_ns: 7,
        parts: Some(Parts {
            source: PartsSource::Glibc,
            rust_heap_bytes: 8,
            other_malloc_bytes: 9,
            allocator_free_bytes: 10,
            thread_stacks_bytes: 11,
            anonymous_bytes: 12,
            files_bytes: 13,
            shim_bytes: 14,
            not_resident_bytes: 15,
            mappings: 16,
        }),
        cost_ns: 17,
    }
}

fn row() -> SiteRow {
    SiteRow {
        site: SiteId(1),
        allocs: 3,
        frees: 1,
        alloc_bytes: 96,
        freed_bytes: 32,
        reallocs: 1,
        live_objects: 2,
        live_bytes: 64,
        objects_range: Some((1, 2)),
        bytes_range: Some((32, 64)),
        cohorts: vec![Cohort(Epoch(0), 2, 64)],
        largest_bytes: 32,
        growth: vec![Growth {
            epoch: Epoch(0),
            bytes: 32,
            grown_at: Some(SiteId(1)),
            work: BTreeMap::from([("requests".into(), 1)]),
        }],
        last_free_ns: Some(1),
        objects_error: Some(0.5),
        bytes_error: Some(16.25),
    }
}
