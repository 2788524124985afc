//! Recordings read back, strictly: the shim's own files have no torn line and no strange one.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::path::Path;

use heaptide_format::{Header, HeapTotals, Line, Mode, Module, Site, SiteId, SiteRow, Snapshot};

/// All that stands in one file.
pub(crate) struct Recording {
    pub(crate) header: Header,
    pub(crate) modules: Vec<Module>,
    pub(crate) sites: Vec<Site>,
    pub(crate) snapshots: Vec<Snapshot>,
}

impl Recording {
    /// Reads the file; every line must be whole and known, the first a header and the only one.
    pub(crate) fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap_or_else(|err| panic!("{}: {err}", path.display()));
        assert_eq!(bytes.last(), Some(&b'\n'), "{} ends in a torn line", path.display());
        Self::of(&bytes)
    }

    fn of(bytes: &[u8]) -> Self {
        let mut lines = bytes.split_inclusive(|&byte| byte == b'\n').map(|line| {
            Line::parse(line)
                .unwrap_or_else(|err| panic!("{err}: {}", String::from_utf8_lossy(line)))
        });
        let Some(Line::Header(header)) = lines.next() else { panic!("no header") };
        let (modules, sites, snapshots) = Default::default();
        let mut read = Self { header, modules, sites, snapshots };
        for line in lines {
            match line {
                Line::Header(_) => panic!("a second header"),
                Line::Module(module) => read.modules.push(module),
                Line::Names(_) => {}
                Line::Site(site) => read.sites.push(site),
                Line::Snapshot(snapshot) => read.snapshots.push(snapshot),
            }
        }
        read
    }

    /// What has been written so far of a file that is being written.
    pub(crate) fn read_so_far(path: &Path) -> Option<Self> {
        let bytes = std::fs::read(path).ok()?;
        let whole = bytes.iter().rposition(|&byte| byte == b'\n')? + 1;
        Some(Self::of(&bytes[..whole]))
    }

    /// The snapshot with this sequence number.
    pub(crate) fn at(&self, seq: u64) -> &Snapshot {
        let found = self.snapshots.iter().find(|snapshot| snapshot.seq == seq);
        found.unwrap_or_else(|| panic!("no snapshot {seq} among {}", self.snapshots.len()))
    }

    /// The last snapshot.
    pub(crate) fn last(&self) -> &Snapshot {
        self.snapshots.last().expect("a recording has a snapshot")
    }

    /// The rows of all sites as they stood at a snapshot: the rule of `docs/FORMAT.md`.
    pub(crate) fn rows(&self, seq: u64) -> BTreeMap<SiteId, SiteRow> {
        let mut rows = BTreeMap::new();
        for snapshot in self.snapshots.iter().filter(|snapshot| snapshot.seq <= seq) {
            rows.extend(snapshot.sites.iter().map(|row| (row.site, row.clone())));
        }
        rows
    }

    /// The rows at a snapshot whose sites carry this tag.
    pub(crate) fn tagged(&self, seq: u64, tag: &str) -> Vec<SiteRow> {
        let has_tag = |id: SiteId| {
            self.sites.iter().any(|site| site.id == id && site.tag.as_deref() == Some(tag))
        };
        self.rows(seq).into_values().filter(|row| has_tag(row.site)).collect()
    }

    /// Their sum.
    pub(crate) fn under(&self, seq: u64, tag: &str) -> HeapTotals {
        sum(&self.tagged(seq, tag))
    }

    /// What came between two snapshots; live numbers are differences too. A resize is no birth and
    /// no death here, though in a sampled recording it is one of each.
    pub(crate) fn between(&self, from: u64, to: u64) -> HeapTotals {
        let mut between = less(self.at(to).heap, self.at(from).heap);
        if self.header.mode != Mode::Exact {
            between.allocs -= between.reallocs;
            between.frees -= between.reallocs;
        }
        between
    }
}

/// The sum of rows.
pub(crate) fn sum(rows: &[SiteRow]) -> HeapTotals {
    rows.iter().fold(HeapTotals::default(), |sum, row| HeapTotals {
        allocs: sum.allocs + row.allocs,
        frees: sum.frees + row.frees,
        alloc_bytes: sum.alloc_bytes + row.alloc_bytes,
        freed_bytes: sum.freed_bytes + row.freed_bytes,
        reallocs: sum.reallocs + row.reallocs,
        live_objects: sum.live_objects + row.live_objects,
        live_bytes: sum.live_bytes + row.live_bytes,
    })
}

/// What `later` has more than `sooner`; a live number that shrank is a failure.
pub(crate) fn less(later: HeapTotals, sooner: HeapTotals) -> HeapTotals {
    let more = |later: u64, sooner: u64| later.checked_sub(sooner).expect("a number shrank");
    HeapTotals {
        allocs: more(later.allocs, sooner.allocs),
        frees: more(later.frees, sooner.frees),
        alloc_bytes: more(later.alloc_bytes, sooner.alloc_bytes),
        freed_bytes: more(later.freed_bytes, sooner.freed_bytes),
        reallocs: more(later.reallocs, sooner.reallocs),
        live_objects: more(later.live_objects, sooner.live_objects),
        live_bytes: more(later.live_bytes, sooner.live_bytes),
    }
}
