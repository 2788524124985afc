//! A made-up process: what each part of it holds at each snapshot, with the noise that real ones show.

use std::ops::{Index, IndexMut};

use fastrand::Rng;
use heaptide_analyze::axis::{Axis, Settings};
use heaptide_analyze::load::{Point, Timeline};
use heaptide_analyze::policy::{Date, Policy};
use heaptide_analyze::process::Process;
use heaptide_analyze::{Criteria, Run, judge_runs};
use heaptide_format::{Account, Epoch, Header, Parts, PartsSource};

pub(super) const KIB: f64 = 1024.0;
pub(super) const MIB: f64 = 1024.0 * KIB;
const INTERVAL_NS: u64 = 5_000_000_000;
const RUST_HEAP_BYTES: f64 = 6.0 * MIB;
const SHIM_BYTES: f64 = 3.0 * MIB;

/// A part that a shape adds to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    OtherMalloc,
    AllocatorFree,
    Anonymous,
    ThreadStacks,
    Files,
    NotResident,
    Threads,
}

/// How much is asked of the process, snapshot by snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    Even,
    Waves,
    /// It rises to the end, to between two and five times what it was.
    Ramp,
    Bursts,
}

/// What the growth of a run is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    /// Requests.
    Work,
    /// Nothing: processor time stands in.
    Cpu,
    /// Nothing, in a process that is nearly idle.
    Idle,
}

/// A process in the making.
pub(super) struct MadeUp {
    pub(super) rng: Rng,
    /// What is asked of it between two snapshots, as a share of the most.
    pub(super) load: Vec<f64>,
    /// The share of the whole work that is done at each snapshot.
    pub(super) done: Vec<f64>,
    parts: [Vec<f64>; 7],
}

impl Index<Of> for MadeUp {
    type Output = Vec<f64>;

    fn index(&self, of: Of) -> &Vec<f64> {
        &self.parts[of as usize]
    }
}

impl IndexMut<Of> for MadeUp {
    fn index_mut(&mut self, of: Of) -> &mut Vec<f64> {
        &mut self.parts[of as usize]
    }
}

impl MadeUp {
    /// A quiet service of so many snapshots.
    pub(super) fn quiet(n_snapshots: usize, load: Load, mut rng: Rng) -> Self {
        let asked: Vec<f64> = loads(n_snapshots, load, &mut rng);
        let most = asked.iter().copied().fold(0.0, f64::max);
        let whole: f64 = asked.iter().sum();
        let mut sum = 0.0;
        let done = asked.iter().map(|asked| {
            sum += asked / whole;
            sum
        });
        let done = done.collect();
        let load = asked.iter().map(|asked| asked / most).collect();
        let parts = std::array::from_fn(|_| vec![0.0; n_snapshots]);
        let mut made = Self { rng, load, done, parts };
        made.breathe();
        made
    }

    pub(super) fn len(&self) -> usize {
        self.done.len()
    }

    /// Between two bounds.
    pub(super) fn between(&mut self, least: f64, most: f64) -> f64 {
        least + (most - least) * self.rng.f64()
    }

    /// Adds to a part at each snapshot.
    pub(super) fn add(&mut self, of: Of, bytes_at: impl Fn(&Self, usize) -> f64) {
        for k in 0..self.len() {
            self.parts[of as usize][k] += bytes_at(self, k);
        }
    }

    /// What a quiet process does: blocks in flight follow the load, the allocator's free memory
    /// breathes with them, a mapping comes and goes, a thread calls a little deeper.
    fn breathe(&mut self) {
        let in_use = self.between(0.3, 4.0) * MIB;
        let per_request = self.between(0.0, 60.0) * KIB;
        let n_threads = (2 + self.rng.usize(0..23)) as f64;
        let (stacks, maps) = (self.between(60.0, 600.0) * KIB, self.between(1.0, 30.0) * MIB);
        let arenas = self.between(0.5, 8.0) * MIB;
        let files = self.between(3.0, 40.0) * MIB;
        let (mut peak, mut drift) = (0.0_f64, 0.0);
        for k in 0..self.len() {
            peak = peak.max(self.load[k]);
            drift += 2.0 * KIB * normal(&mut self.rng);
            let in_flight = self.load[k] * per_request * n_threads / 8.0
                + self.between(-7.0, 7.0) * KIB
                + drift;
            let passing =
                if self.rng.u32(0..10) == 0 { self.between(0.0, 700.0) * KIB } else { 0.0 };
            let deeper = [0.0, 0.0, 0.0, 4.0, 8.0][self.rng.usize(0..5)] * KIB;
            let jitter = self.between(-128.0, 128.0) * KIB;
            self[Of::OtherMalloc][k] = in_use + in_flight;
            self[Of::AllocatorFree][k] = arenas * (0.6 + 0.4 * peak) + jitter - 0.3 * in_flight;
            self[Of::Anonymous][k] = maps + 8.0 * KIB * normal(&mut self.rng) + passing;
            let called = 0.8 + 0.2 * (3.0 * k as f64 / self.len() as f64).min(1.0);
            self[Of::ThreadStacks][k] = stacks * called + deeper;
            self[Of::Threads][k] = n_threads + f64::from(u8::from(self.rng.u32(0..5) == 0));
            self[Of::Files][k] = files;
        }
    }

    /// What the analyzer makes of it.
    pub(super) fn judged(&self, counted: Counted) -> Process {
        let points = (0..self.len()).map(|k| self.point(k, counted)).collect();
        let timeline = Timeline { header: Header::default(), points };
        let axis = Axis::new(&timeline, &Settings::default());
        let run = Run { timeline: &timeline, axis: &axis, sites: &[] };
        let policy = Policy::default();
        let today = Date::default();
        let criteria = Criteria { policy: &policy, baseline: None, before: None, today };
        let mut report = judge_runs(&[run], &criteria);
        report.runs.pop().map(|run| run.process).unwrap_or_default()
    }

    fn point(&self, k: usize, counted: Counted) -> Point {
        let bytes = |of: Of| self[of][k].max(0.0) as u64;
        let parts = Parts {
            source: PartsSource::Glibc,
            rust_heap_bytes: RUST_HEAP_BYTES as u64,
            other_malloc_bytes: bytes(Of::OtherMalloc),
            allocator_free_bytes: bytes(Of::AllocatorFree),
            thread_stacks_bytes: bytes(Of::ThreadStacks),
            anonymous_bytes: bytes(Of::Anonymous),
            files_bytes: bytes(Of::Files),
            shim_bytes: SHIM_BYTES as u64,
            not_resident_bytes: bytes(Of::NotResident),
            mappings: 100,
        };
        let anonymous_resident_bytes = parts.resident_bytes().saturating_sub(parts.files_bytes);
        let share = if counted == Counted::Idle { 0.008 } else { 0.4 };
        let busy_ns = share * self.done[k] * self.len() as f64 * INTERVAL_NS as f64;
        let account = Account {
            anonymous_resident_bytes,
            file_resident_bytes: parts.files_bytes,
            threads: bytes(Of::Threads),
            descriptors: Some(16),
            cpu_ns: busy_ns as u64,
            parts: Some(parts),
            ..Account::default()
        };
        let mut point = Point {
            seq: k as u64,
            elapsed_ns: (k as u64 + 1) * INTERVAL_NS,
            epoch: Epoch(k as u32),
            rss_bytes: anonymous_resident_bytes + account.file_resident_bytes,
            account: Some(account),
            ..Point::default()
        };
        if counted == Counted::Work {
            point.work.insert("requests".into(), (self.done[k] * 50_000.0) as u64);
        }
        point
    }
}

fn loads(n_snapshots: usize, load: Load, rng: &mut Rng) -> Vec<f64> {
    let period = 6.0 + 14.0 * rng.f64();
    let (height, rise) = (0.4 + 0.4 * rng.f64(), 1.0 + 3.0 * rng.f64());
    let at = |k: usize| match load {
        Load::Even => 0.85 + 0.3 * rng.f64(),
        Load::Waves => {
            let phase = k as f64 / period * std::f64::consts::TAU;
            (1.0 + height * phase.sin() + 0.08 * normal(rng)).max(0.05)
        }
        Load::Ramp => 1.0 + (1.0 + rise) * k as f64 / n_snapshots as f64 + 0.05 * normal(rng),
        Load::Bursts => [0.1, 0.1, 0.1, 3.0][rng.usize(0..4)] * (0.8 + 0.4 * rng.f64()),
    };
    (0..n_snapshots).map(at).collect()
}

/// About as a normal distribution has it: the sum of twelve that are uniform.
pub(super) fn normal(rng: &mut Rng) -> f64 {
    (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0
}
