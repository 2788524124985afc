//! Made-up sites: every block they ever allocate, and how a recording would show it.

use std::collections::BTreeMap;
use std::sync::Arc;

use heaptide_analyze::axis::{Axis, Settings};
use heaptide_analyze::load::{Point, Timeline};
use heaptide_analyze::series::SiteSeries;
use heaptide_format::{Bucket, Cohort, Epoch, Header, Reason, SiteId, SiteRow};

/// One block; times are in epochs since the recording began.
#[derive(Clone, Debug)]
pub struct Block {
    /// When it is allocated.
    pub birth: f64,
    /// When it is freed; infinite if it never is.
    pub death: f64,
    /// Its size when it is allocated.
    pub bytes: u64,
    /// `realloc` calls: when, and to what size.
    pub resized: Vec<(f64, u64)>,
}

impl Block {
    /// A block that is freed `life` epochs after its birth and never resized.
    pub fn new(birth: f64, life: f64, bytes: u64) -> Self {
        Self { birth, death: birth + life, bytes, resized: Vec::new() }
    }

    fn bytes_at(&self, time: f64) -> u64 {
        self.resized.iter().rfind(|(when, _)| *when <= time).map_or(self.bytes, |(_, bytes)| *bytes)
    }
}

/// All blocks of a site, and when work was done.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// In any order, except that one which is resized comes first and is never freed.
    pub blocks: Vec<Block>,
    /// Times of units of work, in any order.
    pub work: Vec<f64>,
}

impl Trace {
    fn done_at(&self, time: f64) -> f64 {
        self.work.iter().filter(|when| **when <= time).count() as f64
    }
}

/// How a process is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rhythm {
    /// On an even interval.
    Even,
    /// At uneven times, some missing, and an exit snapshot that sees nothing alive.
    Uneven,
    /// Every second snapshot of the first half was dropped to save room, and for a tenth of the run
    /// the recorder did not get to work.
    Gaps,
    /// Evenly, beside other sites, with a counter for the work of each and one that counts what
    /// nothing depends on.
    Company,
    /// Evenly, of one block in eight.
    Sampled,
}

/// What a recording shows of a process.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The slots of the run.
    pub axis: Arc<Axis>,
    /// One for each trace, in their order.
    pub sites: Vec<SeenSite>,
}

/// What a recording shows of a site.
#[derive(Clone, Debug)]
pub struct SeenSite {
    /// As the analyzer sees it.
    pub series: SiteSeries,
    /// A row for each snapshot but the exit's.
    pub rows: Vec<SiteRow>,
    /// Units of its work done until each of these snapshots.
    pub work: Vec<f64>,
}

/// One block in so many is sampled: of the sites made up here, enough to be judged, and few enough
/// that their counts scatter.
const SAMPLED: u64 = 8;
/// An epoch as long as the longest interval that `heaptide run` chooses by itself.
const INTERVAL_NS: f64 = 5e9;

impl Rhythm {
    /// How many epochs a recording with `n` snapshots goes on for.
    pub fn epochs(self, n: usize) -> usize {
        match self {
            // As many as are missing: a quarter and a tenth.
            Self::Gaps => (n as f64 / 0.65).round() as usize,
            Self::Even | Self::Uneven | Self::Company | Self::Sampled => n,
        }
    }
}

/// What a recording of `n` epochs shows of sites in one process.
pub fn record(traces: &[Trace], n: usize, rhythm: Rhythm, rng: &mut fastrand::Rng) -> Seen {
    let times = times(n, rhythm, rng);
    let mut counters = counters(traces);
    if rhythm == Rhythm::Company {
        let packets = (0..20 * n).map(|_| n as f64 * rng.f64().powi(2)).collect();
        counters.push(("packets".to_owned(), packets));
    }
    let taken: Vec<usize> = (0..times.len()).filter(|&k| is_taken(k, n, rhythm)).collect();
    let mut timeline = Timeline { header: Header::default(), points: Vec::new() };
    timeline.points.extend(taken.iter().map(|&k| point(k, times[k], &counters)));
    if rhythm == Rhythm::Uneven {
        let mut exit = point(times.len(), n as f64 + 0.01, &counters);
        exit.reason = Reason::Exit;
        timeline.points.push(exit);
    }
    let axis = Axis::new(&timeline, &Settings::default());
    let sites = traces.iter().map(|trace| {
        let mut heap = Heap::new(trace, &times, rhythm, rng);
        let mut rows = heap.rows(&times, &taken);
        if rhythm == Rhythm::Uneven {
            rows.push(heap.torn_down());
        }
        let series = series(&axis, &rows);
        rows.truncate(taken.len());
        let work = taken.iter().map(|&k| trace.done_at(times[k])).collect();
        SeenSite { series, rows, work }
    });
    let sites = sites.collect::<Vec<_>>();
    Seen { axis: Arc::new(axis), sites }
}

/// As in a recording, a row that says nothing new is left out.
fn series(axis: &Axis, rows: &[SiteRow]) -> SiteSeries {
    let mut series = SiteSeries::new();
    for (k, row) in rows.iter().enumerate() {
        if k == 0 || rows[k - 1] != *row {
            series.observe(axis, k, row);
        }
    }
    series.close(axis);
    series
}

/// Times of units of work, in order, by counter: the first trace's `requests`, and the others'.
fn counters(traces: &[Trace]) -> Vec<(String, Vec<f64>)> {
    let name = |index| match index {
        0 => "requests".to_owned(),
        _ => format!("requests {index}"),
    };
    let counter = |(index, trace): (usize, &Trace)| {
        let mut work = trace.work.clone();
        work.sort_by(f64::total_cmp);
        (name(index), work)
    };
    traces.iter().enumerate().map(counter).collect()
}

/// When the snapshots are taken, in epochs.
fn times(n: usize, rhythm: Rhythm, rng: &mut fastrand::Rng) -> Vec<f64> {
    if rhythm != Rhythm::Uneven {
        return (1..=n).map(|k| k as f64).collect();
    }
    let gaps: Vec<f64> = (0..n).map(|_| 0.4 + 1.2 * rng.f64()).collect();
    let scale = n as f64 / gaps.iter().sum::<f64>();
    let mut time = 0.0;
    let mut times: Vec<f64> = gaps
        .iter()
        .map(|gap| {
            time += gap * scale;
            time
        })
        .collect();
    // Somebody asks for two more, right after another.
    times.push(0.5 * n as f64 + 0.01);
    times.push(0.5 * n as f64 + 0.02);
    times.sort_by(f64::total_cmp);
    times
}

/// Whether the recording has this snapshot. Its epoch is over either way.
fn is_taken(k: usize, n: usize, rhythm: Rhythm) -> bool {
    match rhythm {
        Rhythm::Uneven => k % 13 != 7,
        Rhythm::Gaps if k < n / 2 => k % 2 == 1,
        Rhythm::Gaps => !(6 * n / 10..7 * n / 10).contains(&k),
        Rhythm::Even | Rhythm::Company | Rhythm::Sampled => true,
    }
}

fn point(k: usize, time: f64, counters: &[(String, Vec<f64>)]) -> Point {
    let done = |(name, work): &(String, Vec<f64>)| {
        (name.clone(), work.partition_point(|t| *t <= time) as u64)
    };
    Point {
        seq: k as u64,
        elapsed_ns: (time * INTERVAL_NS) as u64,
        epoch: Epoch(k as u32),
        work: counters.iter().map(done).collect::<BTreeMap<_, _>>(),
        ..Point::default()
    }
}

/// The site's heap at one moment after another.
struct Heap<'a> {
    /// Blocks that the recording sees, and how many each stands for.
    blocks: Vec<(&'a Block, u64)>,
    born: Vec<Vec<usize>>,
    died: Vec<Vec<usize>>,
    epochs: Vec<usize>,
    cohorts: BTreeMap<Epoch, (u64, u64)>,
    now: SiteRow,
    variance: f64,
}

impl<'a> Heap<'a> {
    fn new(trace: &'a Trace, times: &[f64], rhythm: Rhythm, rng: &mut fastrand::Rng) -> Self {
        let epoch_of = |time: f64| times.partition_point(|&end| end <= time);
        let mut heap = Self {
            blocks: Vec::new(),
            born: vec![Vec::new(); times.len() + 1],
            died: vec![Vec::new(); times.len() + 1],
            epochs: Vec::new(),
            cohorts: BTreeMap::new(),
            now: SiteRow::empty(SiteId(1)),
            variance: 0.0,
        };
        for block in &trace.blocks {
            // Large blocks are always sampled.
            let small = block.bytes < 4096 && block.resized.is_empty();
            let sparse = rhythm == Rhythm::Sampled && small;
            if sparse && rng.u64(..SAMPLED) != 0 {
                continue;
            }
            let born = epoch_of(block.birth);
            heap.born[born].push(heap.blocks.len());
            heap.died[epoch_of(block.death)].push(heap.blocks.len());
            heap.blocks.push((block, if sparse { SAMPLED } else { 1 }));
            heap.epochs.push(born);
        }
        heap
    }

    /// The rows of the snapshots that were taken.
    fn rows(&mut self, times: &[f64], taken: &[usize]) -> Vec<SiteRow> {
        let mut rows = Vec::with_capacity(taken.len());
        let mut wanted = taken.iter().copied().peekable();
        for (k, &time) in times.iter().enumerate() {
            self.advance(k, time);
            if wanted.next_if_eq(&k).is_some() {
                rows.push(self.row());
            }
        }
        rows
    }

    fn advance(&mut self, k: usize, time: f64) {
        for index in std::mem::take(&mut self.born[k]) {
            let (block, weight) = self.blocks[index];
            self.now.allocs += weight;
            self.now.alloc_bytes += weight * block.bytes;
            self.count(index, block.bytes);
        }
        for index in 0..self.resized() {
            self.resize(index, k, time);
        }
        for index in std::mem::take(&mut self.died[k]) {
            let (block, weight) = self.blocks[index];
            let cohort = self.cohorts.get_mut(&self.cohort_of(index)).expect("it was born");
            cohort.0 -= weight;
            cohort.1 -= weight * block.bytes;
            self.now.frees += weight;
            self.now.freed_bytes += weight * block.bytes;
            self.variance -= (weight * (weight - 1)) as f64;
        }
    }

    /// Only the first block of a trace is ever resized, and it is never freed.
    fn resized(&self) -> usize {
        self.blocks.first().map_or(0, |(block, _)| usize::from(!block.resized.is_empty()))
    }

    fn resize(&mut self, index: usize, k: usize, time: f64) {
        if self.epochs[index] > k {
            return;
        }
        let (block, _) = self.blocks[index];
        let epoch = self.cohort_of(index);
        let cohort = self.cohorts.get_mut(&epoch).expect("it was born");
        let bytes = block.bytes_at(time);
        self.now.alloc_bytes += bytes;
        self.now.freed_bytes += cohort.1;
        cohort.1 = bytes;
    }

    fn count(&mut self, index: usize, bytes: u64) {
        let weight = self.blocks[index].1;
        let cohort = self.cohorts.entry(self.cohort_of(index)).or_default();
        cohort.0 += weight;
        cohort.1 += weight * bytes;
        self.variance += (weight * (weight - 1)) as f64;
    }

    fn cohort_of(&self, index: usize) -> Epoch {
        Bucket::of(Epoch(self.epochs[index] as u32)).first_epoch()
    }

    fn row(&self) -> SiteRow {
        let live = self.cohorts.iter().filter(|(_, cohort)| cohort.0 > 0);
        let error = (self.variance > 0.0).then(|| self.variance.sqrt());
        SiteRow {
            live_objects: self.now.allocs - self.now.frees,
            live_bytes: self.now.alloc_bytes - self.now.freed_bytes,
            cohorts: live.map(|(epoch, (n, bytes))| Cohort(*epoch, *n, *bytes)).collect(),
            objects_error: error,
            bytes_error: error,
            ..self.now.clone()
        }
    }

    /// What an exit snapshot shows of a program that drops all it holds.
    fn torn_down(&self) -> SiteRow {
        let (frees, freed_bytes) = (self.now.allocs, self.now.alloc_bytes);
        SiteRow { frees, freed_bytes, ..self.now.clone() }
    }
}
