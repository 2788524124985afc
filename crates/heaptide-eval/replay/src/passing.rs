//! Healthy: blocks that go away by themselves, sooner or later.

use std::collections::{BTreeMap, VecDeque};

use fastrand::Rng;

use crate::program::{Now, Program, Run};

/// A request's own buffers.
pub(crate) struct Scratch;

impl Scratch {
    pub(crate) fn new(_: &Run, _: &mut Rng) -> Self {
        Self
    }
}

impl Program for Scratch {
    fn serve(&mut self, _: &Now, rng: &mut Rng) {
        let body = vec![1_u8; rng.usize(16..2000)];
        let words: Vec<String> = body.chunks(256).map(|part| format!("{}", part.len())).collect();
        drop(words);
    }
}

/// Requests that wait for something for an epoch or two.
pub(crate) struct InFlight {
    waiting: BTreeMap<u64, Vec<Box<[u8; 200]>>>,
    mean_epochs: f64,
}

impl InFlight {
    pub(crate) fn new(_: &Run, rng: &mut Rng) -> Self {
        Self { waiting: BTreeMap::new(), mean_epochs: 0.3 + 1.5 * rng.f64() }
    }
}

impl Program for InFlight {
    fn serve(&mut self, now: &Now, rng: &mut Rng) {
        let tick = |time: f64| (time * 64.0) as u64;
        let ready = now.time - self.mean_epochs * (1.0 - rng.f64()).ln();
        self.waiting.entry(tick(ready)).or_default().push(Box::new([2; 200]));
        let later = self.waiting.split_off(&tick(now.time));
        self.waiting = later;
    }
}

/// A queue whose consumer stands still for a while, and catches up.
pub(crate) struct Backlog {
    jobs: VecDeque<Vec<u8>>,
    blocked: std::ops::Range<f64>,
}

impl Backlog {
    pub(crate) fn new(_: &Run, rng: &mut Rng) -> Self {
        let from = 0.2 + 0.4 * rng.f64();
        Self { jobs: VecDeque::new(), blocked: from..from + 0.12 }
    }
}

impl Program for Backlog {
    fn serve(&mut self, now: &Now, rng: &mut Rng) {
        self.jobs.push_back(vec![3; rng.usize(20..300)]);
        if !self.blocked.contains(&now.share) {
            // Four jobs for each that comes.
            self.jobs.drain(..self.jobs.len().min(4));
        }
    }
}

/// Rows are collected, and written all at once.
pub(crate) struct Batches {
    rows: Vec<String>,
    size: usize,
}

impl Batches {
    pub(crate) fn new(run: &Run, rng: &mut Rng) -> Self {
        Self { rows: Vec::new(), size: run.part(0.05 + 0.2 * rng.f64()) }
    }
}

impl Program for Batches {
    fn serve(&mut self, now: &Now, _: &mut Rng) {
        self.rows.push(format!("row {:>40}", now.request));
        if self.rows.len() >= self.size {
            self.rows = Vec::new();
        }
    }
}

/// Garbage that is collected every few epochs.
pub(crate) struct DeferredFrees {
    garbage: Vec<Box<[u64; 12]>>,
    every: u64,
    collected: u64,
}

impl DeferredFrees {
    pub(crate) fn new(_: &Run, rng: &mut Rng) -> Self {
        Self { garbage: Vec::new(), every: rng.u64(2..6), collected: 0 }
    }
}

impl Program for DeferredFrees {
    fn serve(&mut self, now: &Now, _: &mut Rng) {
        self.garbage.push(Box::new([now.request; 12]));
        let round = now.time as u64 / self.every;
        if round > self.collected {
            self.collected = round;
            self.garbage.clear();
        }
    }
}

/// Sessions that end some time after they began.
pub(crate) struct ExpiringSessions {
    sessions: VecDeque<(f64, Box<[u8; 160]>)>,
    share: f64,
}

impl ExpiringSessions {
    pub(crate) fn new(_: &Run, rng: &mut Rng) -> Self {
        Self { sessions: VecDeque::new(), share: 0.05 + 0.15 * rng.f64() }
    }
}

impl Program for ExpiringSessions {
    fn serve(&mut self, now: &Now, _: &mut Rng) {
        self.sessions.push_back((now.share + self.share, Box::new([4; 160])));
        while self.sessions.front().is_some_and(|(end, _)| *end < now.share) {
            self.sessions.pop_front();
        }
    }
}

/// Things that are made when first needed, early on.
pub(crate) struct StartUp {
    tables: Vec<Box<[u8; 300]>>,
    wanted: usize,
}

impl StartUp {
    pub(crate) fn new(_: &Run, rng: &mut Rng) -> Self {
        Self { tables: Vec::new(), wanted: rng.usize(50..600) }
    }
}

impl Program for StartUp {
    fn serve(&mut self, now: &Now, rng: &mut Rng) {
        let soon = rng.f64() < 0.7 * (1.0 - now.share * 8.0);
        if soon && self.tables.len() < self.wanted {
            self.tables.push(Box::new([5; 300]));
        }
    }
}

/// A configuration that is read again, once or twice, and a plug-in.
pub(crate) struct Reload {
    config: Vec<String>,
    plug_in: Vec<String>,
    at: Vec<f64>,
}

impl Reload {
    pub(crate) fn new(_: &Run, rng: &mut Rng) -> Self {
        let at = vec![0.0, 0.3 + 0.2 * rng.f64(), 0.6 + 0.3 * rng.f64()];
        Self { config: Vec::new(), plug_in: Vec::new(), at }
    }
}

impl Program for Reload {
    fn serve(&mut self, now: &Now, _: &mut Rng) {
        if self.at.first().is_none_or(|at| *at > now.share) {
            return;
        }
        self.at.remove(0);
        self.config = (0..300).map(|line| format!("key {line} = value {}", now.request)).collect();
        if self.at.len() == 1 {
            self.plug_in = (0..120).map(|symbol| format!("symbol {symbol}")).collect();
        }
    }
}
