//! A large recording, made up: a service with thousands of call sites that runs for hours.
//!
//! Seeded, so the same bytes on every machine. Most sites churn, some are idle, some are bounded
//! caches, a few hold a container that doubles, and one in a hundred leaks. Lines are written by
//! the recording format's own writer, in segments like the recorder's.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use fastrand::Rng;
use heaptide_format::{
    Bucket, Cohort, Epoch, Frame, Growth, Header, HeapTotals, Line, Module, ModuleId, ModuleOffset,
    Name, NamedOffset, Names, Reason, Site, SiteId, SiteRow, Snapshot,
};

/// As the recorder cuts segments, unless it is told otherwise.
const SEGMENT_BYTES: u64 = 64 << 20;
/// The longest interval that `heaptide run` chooses by itself.
const INTERVAL_NS: u64 = 5_000_000_000;
/// About as many as a stack of the benchmarks' micro workload has.
const FRAMES: u64 = 18;
/// Fewer than sites, so that sites share frames, and a name is worked out once for many stacks.
const FUNCTIONS: u64 = 3000;
/// Long enough that a cache has cohorts in several buckets of birth epochs.
const CACHE_EPOCHS: u32 = 16;

/// How large, in which direction.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// Call sites.
    pub n_sites: u32,
    /// All files together, at least.
    pub total_bytes: u64,
}

/// Writes a recording into `dir`, in place of what was there; its first file and its size in bytes.
///
/// # Errors
///
/// If the directory cannot be made or a file not be written.
pub fn write_service(dir: &Path, extent: Extent) -> io::Result<(PathBuf, u64)> {
    let _ = fs::remove_dir_all(dir);
    fs::create_dir_all(dir)?;
    let mut service = Service::new(extent.n_sites);
    let (mut total, mut segment) = (0, 0);
    while total < extent.total_bytes {
        let file = File::create(segment_file(dir, segment))?;
        let limit = SEGMENT_BYTES.min(extent.total_bytes - total);
        let mut out = Out { file: BufWriter::new(file), line: Vec::new(), written: 0 };
        service.introduce(segment, &mut out)?;
        out.put(Line::Snapshot(service.snapshot(Rows::All)))?;
        while out.written < limit {
            out.put(Line::Snapshot(service.snapshot(Rows::Changed)))?;
        }
        out.file.flush()?;
        total += out.written;
        segment += 1;
    }
    Ok((segment_file(dir, 0), total))
}

fn segment_file(dir: &Path, segment: u32) -> PathBuf {
    match segment {
        0 => dir.join("made.jsonl"),
        later => dir.join(format!("made.{later:03}.jsonl")),
    }
}

/// One segment's file.
struct Out {
    file: BufWriter<File>,
    line: Vec<u8>,
    written: u64,
}

impl Out {
    fn put(&mut self, line: Line) -> io::Result<()> {
        self.line.clear();
        line.write_to(&mut self.line);
        self.written += self.line.len() as u64;
        self.file.write_all(&self.line)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rows {
    All,
    Changed,
}

/// What a site is like.
#[derive(Clone, Copy)]
enum Habit {
    Churn,
    Idle,
    Cache,
    Container,
    Leak,
}

impl Habit {
    fn of(site: u32) -> Self {
        match site % 100 {
            0 => Self::Leak,
            1..5 => Self::Container,
            5..15 => Self::Cache,
            15..40 => Self::Idle,
            _ => Self::Churn,
        }
    }

    /// In how many of a hundred snapshots it changes.
    fn liveliness(self) -> u32 {
        match self {
            Self::Idle => 2,
            Self::Container => 10,
            Self::Churn => 60,
            Self::Cache | Self::Leak => 90,
        }
    }
}

struct Service {
    rng: Rng,
    epoch: u32,
    requests: u64,
    heap: HeapTotals,
    rows: Vec<SiteRow>,
}

impl Service {
    fn new(sites: u32) -> Self {
        let rows = (1..=sites).map(|id| SiteRow::empty(SiteId(id))).collect();
        let heap = HeapTotals::default();
        Self { rng: Rng::with_seed(7), epoch: 0, requests: 0, heap, rows }
    }

    fn introduce(&self, segment: u32, out: &mut Out) -> io::Result<()> {
        let (format, interval_ns) = (heaptide_format::FORMAT_VERSION, INTERVAL_NS);
        let (recording, exe) = ("made".into(), "/srv/made".into());
        let header = Header { format, recording, segment, exe, interval_ns, ..Header::default() };
        out.put(Line::Header(header))?;
        let (id, path, bias) = (ModuleId(0), "/srv/made".into(), ModuleOffset(0));
        out.put(Line::Module(Module { id, path, build_id: None, bias }))?;
        let offsets = (0..FUNCTIONS).map(named).collect();
        out.put(Line::Names(Names { module: id, offsets }))?;
        for row in &self.rows {
            out.put(Line::Site(site(row.site)))?;
        }
        Ok(())
    }

    fn snapshot(&mut self, rows: Rows) -> Snapshot {
        self.requests += 1000;
        let work = [("requests".to_owned(), self.requests)];
        let mut sites = Vec::new();
        for row in &mut self.rows {
            let habit = Habit::of(row.site.0);
            let changes = self.rng.u32(0..100) < habit.liveliness();
            if changes {
                let before = row.clone();
                advance(row, habit, self.epoch, &mut self.rng);
                count(&mut self.heap, &before, row);
            }
            if changes || rows == Rows::All {
                sites.push(row.clone());
            }
        }
        let seq = u64::from(self.epoch);
        let mono_ns = (seq + 1) * INTERVAL_NS;
        let epoch = Epoch(self.epoch);
        self.epoch += 1;
        let (heap, work) = (self.heap, work.into());
        let rss_bytes = heap.live_bytes;
        let reason = Reason::Interval;
        Snapshot { seq, mono_ns, epoch, reason, work, heap, rss_bytes, sites, ..Default::default() }
    }
}

/// Functions are named, as `heaptide run` leaves them behind.
fn named(function: u64) -> NamedOffset {
    let name = Name {
        function: format!("made::module_{}::function_{function}", function % 40),
        file: Some(format!("src/module_{}.rs", function % 40)),
        line: Some(function as u32 % 900 + 1),
    };
    NamedOffset { offset: offset(function), names: vec![name] }
}

fn offset(function: u64) -> ModuleOffset {
    ModuleOffset(0x1000 + function * 0x40)
}

fn site(id: SiteId) -> Site {
    // Spread by a multiplication, so that stacks differ from their innermost frame on; with more
    // sites than functions, several share that frame and differ in their callers.
    let (start, step) = (u64::from(id.0) * 2_654_435_761, 97 + u64::from(id.0) / FUNCTIONS);
    let function = |depth| (start + depth * step) % FUNCTIONS;
    let frame = |depth| Frame { module: Some(ModuleId(0)), offset: offset(function(depth)) };
    Site { id, tag: None, frames: (0..FRAMES).map(frame).collect(), truncated: false }
}

/// One epoch of a site: blocks are born, blocks die.
fn advance(row: &mut SiteRow, habit: Habit, epoch: u32, rng: &mut Rng) {
    let size = 16 + u64::from(row.site.0 % 37) * 8;
    match habit {
        Habit::Container => double(row, size, epoch),
        _ => birth(row, Bucket::of(Epoch(epoch)).first_epoch(), rng.u64(1..400), size),
    }
    let kept_since = match habit {
        Habit::Churn | Habit::Idle => epoch.saturating_sub(1),
        Habit::Cache => epoch.saturating_sub(CACHE_EPOCHS),
        Habit::Container | Habit::Leak => 0,
    };
    let dead = row.cohorts.partition_point(|cohort| cohort.0.0 < kept_since);
    for Cohort(_, objects, bytes) in row.cohorts.drain(..dead) {
        row.frees += objects;
        row.freed_bytes += bytes;
        row.last_free_ns = Some(u64::from(epoch + 1) * INTERVAL_NS);
    }
    row.live_objects = row.allocs - row.frees;
    row.live_bytes = row.alloc_bytes - row.freed_bytes;
    let range = |live: u64, slack: u64| Some((live - live / 5, live + slack));
    row.objects_range = range(row.live_objects, 3);
    row.bytes_range = range(row.live_bytes, 3 * size);
}

fn birth(row: &mut SiteRow, bucket: Epoch, objects: u64, size: u64) {
    let bytes = objects * size;
    row.allocs += objects;
    row.alloc_bytes += bytes;
    row.largest_bytes = row.largest_bytes.max(size);
    match row.cohorts.last_mut() {
        Some(last) if last.0 == bucket => {
            last.1 += objects;
            last.2 += bytes;
        }
        _ => row.cohorts.push(Cohort(bucket, objects, bytes)),
    }
}

/// A vector that doubles with the square of the time, up to a size.
fn double(row: &mut SiteRow, size: u64, epoch: u32) {
    if row.allocs == 0 {
        birth(row, Bucket::of(Epoch(epoch)).first_epoch(), 1, size);
        row.live_bytes = size;
    }
    let bytes = (size << epoch.isqrt().min(20)).max(row.live_bytes);
    if bytes == row.live_bytes {
        return;
    }
    row.reallocs += 1;
    row.alloc_bytes += bytes;
    row.freed_bytes += row.live_bytes;
    row.largest_bytes = bytes;
    row.cohorts[0].2 = bytes;
    row.growth.push(Growth { epoch: Epoch(epoch), bytes, grown_at: None, work: [].into() });
    let forgotten = row.growth.len().saturating_sub(8);
    row.growth.drain(..forgotten);
}

fn count(heap: &mut HeapTotals, before: &SiteRow, after: &SiteRow) {
    heap.allocs += after.allocs - before.allocs;
    heap.frees += after.frees - before.frees;
    heap.alloc_bytes += after.alloc_bytes - before.alloc_bytes;
    heap.freed_bytes += after.freed_bytes - before.freed_bytes;
    heap.reallocs += after.reallocs - before.reallocs;
    heap.live_objects = heap.allocs - heap.frees;
    heap.live_bytes = heap.alloc_bytes - heap.freed_bytes;
}
