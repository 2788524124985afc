//! One run of one process: snapshots at an even pace, work, and sites with names.

use std::collections::BTreeMap;

use heaptide_analyze::load::{Point, Timeline};
use heaptide_format::{
    Account, Epoch, Frame, Header, HeapTotals, Line, Module, ModuleId, ModuleOffset, Name,
    NamedOffset, Names, Parts, Site, SiteId, SiteRow, Snapshot,
};

use crate::rows::{Born, container_rows, rows};

/// The longest interval that `heaptide run` chooses by itself.
const INTERVAL_NS: u64 = 5_000_000_000;
/// Round, so that a block kept in each snapshot is 0.01 per request.
const REQUESTS_PER_SNAPSHOT: u64 = 100;
/// Functions lie one after another from here on, each of as many bytes.
const FUNCTION_BYTES: u64 = 0x100;

/// These lines as the format writes them.
pub fn text(lines: &[Line]) -> Vec<u8> {
    let mut text = Vec::new();
    lines.iter().for_each(|line| line.write_to(&mut text));
    text
}

/// The account of a process that holds these parts: what adds up to them, and one thread.
fn account(parts: Parts, cpu_ns: u64) -> Account {
    Account {
        anonymous_resident_bytes: parts.resident_bytes().saturating_sub(parts.files_bytes),
        file_resident_bytes: parts.files_bytes,
        threads: 1,
        descriptors: Some(16),
        cpu_ns,
        parts: Some(parts),
        ..Account::default()
    }
}

/// A made-up process.
#[derive(Clone, Debug)]
pub struct Process {
    /// What the recording begins with; `shop`, recorded exactly, unless it is changed.
    pub header: Header,
    /// The snapshots: every five seconds, a hundred requests in each, unless they are changed.
    pub points: Vec<Point>,
    sites: Vec<(Site, Vec<Name>, Vec<SiteRow>)>,
}

impl Process {
    /// A process without sites of which so many snapshots were taken.
    pub fn of_snapshots(n_snapshots: u32) -> Self {
        let point = |k: u32| Point {
            seq: u64::from(k),
            elapsed_ns: u64::from(k + 1) * INTERVAL_NS,
            epoch: Epoch(k),
            work: BTreeMap::from([(
                "requests".to_owned(),
                u64::from(k + 1) * REQUESTS_PER_SNAPSHOT,
            )]),
            rss_bytes: 1 << 20,
            ..Point::default()
        };
        let header = Header {
            recording: "made-up".into(),
            exe: "/opt/shop".into(),
            pid: 7,
            build_id: Some("00ff".into()),
            ..Header::default()
        };
        Self { header, points: (0..n_snapshots).map(point).collect(), sites: Vec::new() }
    }

    /// Says at each snapshot what the whole process holds: `parts(epoch)`, beside a thread that keeps
    /// a third of a processor busy.
    pub fn holds(&mut self, parts: impl Fn(u32) -> Parts) {
        for point in &mut self.points {
            let parts = parts(point.epoch.0);
            let account = account(parts, point.elapsed_ns / 3);
            point.rss_bytes = account.anonymous_resident_bytes + account.file_resident_bytes;
            point.account = Some(account);
        }
    }

    /// Adds a site in this function that bears `born(epoch)` in each epoch.
    pub fn site(&mut self, function: &str, born: impl Fn(u32) -> Vec<Born>) {
        let made = rows(self.next_site(), self.n_epochs(), born);
        self.site_with_rows(self.name(function), made);
    }

    /// Adds a site in this function that holds one block of `bytes_at(epoch)` bytes.
    pub fn container(&mut self, function: &str, bytes_at: impl Fn(u32) -> u64) {
        let made = container_rows(self.next_site(), self.n_epochs(), bytes_at);
        self.site_with_rows(self.name(function), made);
    }

    /// Adds a site in the function of this name with these rows, one for each epoch. What site
    /// the rows say they are of is not looked at.
    pub fn site_with_rows(&mut self, name: Name, rows: Vec<SiteRow>) {
        let id = self.next_site();
        let rows = rows.into_iter().map(|row| SiteRow { site: id, ..row }).collect();
        let offset = ModuleOffset(u64::from(id.0) * FUNCTION_BYTES);
        let frames = vec![Frame { module: Some(ModuleId(0)), offset }];
        let site = Site { id, tag: None, frames, truncated: false };
        self.sites.push((site, vec![name], rows));
    }

    /// The run as the analyzer sees it before it reads rows.
    pub fn timeline(&self) -> Timeline {
        Timeline { header: self.header.clone(), points: self.points.clone() }
    }

    /// The lines of its recording.
    pub fn lines(&self) -> Vec<Line> {
        let path = self.header.exe.clone();
        let build_id = self.header.build_id.clone();
        let module = Module { id: ModuleId(0), path, build_id, bias: ModuleOffset(0) };
        let mut lines = vec![Line::Header(self.header.clone()), Line::Module(module)];
        lines.extend(self.sites.iter().map(|(site, ..)| Line::Site(site.clone())));
        let named = |(site, names, _): &(Site, Vec<Name>, _)| NamedOffset {
            offset: site.frames[0].offset,
            names: names.clone(),
        };
        let offsets = self.sites.iter().map(named).collect();
        lines.push(Line::Names(Names { module: ModuleId(0), offsets }));
        lines.extend(self.points.iter().map(|point| Line::Snapshot(self.snapshot(point))));
        lines
    }

    /// The text of its recording.
    pub fn recording(&self) -> Vec<u8> {
        text(&self.lines())
    }

    fn snapshot(&self, point: &Point) -> Snapshot {
        let row = |(_, _, rows): &(_, _, Vec<SiteRow>)| rows.get(point.epoch.0 as usize).cloned();
        let sites: Vec<SiteRow> = self.sites.iter().filter_map(row).collect();
        let heap = sites.iter().fold(HeapTotals::default(), |heap, row| heap + row.counts());
        Snapshot {
            seq: point.seq,
            mono_ns: self.header.start_mono_ns + point.elapsed_ns,
            epoch: point.epoch,
            reason: point.reason,
            work: point.work.clone(),
            heap,
            freed_from_before: point.freed_from_before,
            rss_bytes: point.rss_bytes,
            cgroup_bytes: point.cgroup_bytes,
            dropped: point.dropped,
            own_bytes: point.own_bytes,
            children: point.children,
            account: point.account.clone(),
            sites,
            ..Snapshot::default()
        }
    }

    /// What a function is called whose place is of no interest.
    fn name(&self, function: &str) -> Name {
        let line = Some(self.next_site().0);
        Name { function: function.to_owned(), file: Some("src/main.rs".into()), line }
    }

    fn next_site(&self) -> SiteId {
        SiteId(self.sites.len() as u32 + 1)
    }

    /// Snapshots may be taken away afterwards; epochs go on.
    fn n_epochs(&self) -> u32 {
        self.points.last().map_or(0, |last| last.epoch.0 + 1)
    }
}
