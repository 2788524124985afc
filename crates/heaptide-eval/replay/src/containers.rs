//! Containers of inline values: few blocks whose size tells.

use std::collections::{HashMap, VecDeque};

use fastrand::Rng;

use crate::program::{Now, Program, Run};

const SHARDS: u64 = 8;

/// Healthy: the last so many values.
pub(crate) struct Ring {
    values: Vec<[u64; 4]>,
    capacity: usize,
}

impl Ring {
    pub(crate) fn new(run: &Run, rng: &mut Rng) -> Self {
        Self { values: Vec::new(), capacity: run.part(0.05 + 0.1 * rng.f64()) }
    }
}

impl Program for Ring {
    fn serve(&mut self, now: &Now, _: &mut Rng) {
        match self.values.len() < self.capacity {
            true => self.values.push([now.request; 4]),
            false => self.values[now.request as usize % self.capacity] = [now.request; 4],
        }
    }
}

/// Healthy: one buffer for all answers, which are of every size.
pub(crate) struct ReusedBuffer {
    answer: Vec<u8>,
}

impl ReusedBuffer {
    pub(crate) fn new(_: &Run, _: &mut Rng) -> Self {
        Self { answer: Vec::new() }
    }
}

impl Program for ReusedBuffer {
    fn serve(&mut self, _: &Now, rng: &mut Rng) {
        self.answer.clear();
        let length = (300.0 / (1.0 - 0.98 * rng.f64())) as usize;
        self.answer.resize(length, b'x');
    }
}

/// Healthy: a table of all there are.
pub(crate) struct FilledMap {
    seen: HashMap<u64, [u64; 3]>,
    keys: u64,
}

impl FilledMap {
    pub(crate) fn new(run: &Run, rng: &mut Rng) -> Self {
        Self { seen: HashMap::new(), keys: run.part(0.04 + 0.08 * rng.f64()) as u64 }
    }
}

impl Program for FilledMap {
    fn serve(&mut self, now: &Now, rng: &mut Rng) {
        self.seen.insert(rng.u64(..self.keys), [now.request; 3]);
    }
}

/// Healthy: the same in shards.
pub(crate) struct FilledShards {
    shards: Vec<HashMap<u64, u64>>,
    keys: u64,
}

impl FilledShards {
    pub(crate) fn new(run: &Run, rng: &mut Rng) -> Self {
        let shards = (0..SHARDS).map(|_| HashMap::new()).collect();
        Self { shards, keys: run.part(0.1 + 0.1 * rng.f64()) as u64 }
    }
}

impl Program for FilledShards {
    fn serve(&mut self, now: &Now, _: &mut Rng) {
        let key = now.request % self.keys;
        self.shards[(key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 61) as usize].insert(key, key);
    }
}

/// Healthy: tasks in pages that are used again.
pub(crate) struct ReusedPages {
    pages: Vec<Box<[[u64; 4]]>>,
    free: Vec<(usize, usize)>,
    running: VecDeque<(usize, usize)>,
    at_once: usize,
}

impl ReusedPages {
    pub(crate) fn new(run: &Run, rng: &mut Rng) -> Self {
        Self {
            pages: Vec::new(),
            free: Vec::new(),
            running: VecDeque::new(),
            at_once: run.part(0.02 + 0.06 * rng.f64()),
        }
    }
}

impl Program for ReusedPages {
    fn serve(&mut self, now: &Now, _: &mut Rng) {
        if self.free.is_empty() {
            let (page, slots) = (self.pages.len(), 16 << self.pages.len());
            self.pages.push(vec![[0; 4]; slots].into_boxed_slice());
            self.free.extend((0..slots).map(|slot| (page, slot)));
        }
        if let Some((page, slot)) = self.free.pop() {
            self.pages[page][slot] = [now.request; 4];
            self.running.push_back((page, slot));
        }
        if self.running.len() > self.at_once {
            self.free.extend(self.running.pop_front());
        }
    }
}

/// Leak: a vector that only grows.
pub(crate) struct EventLog {
    events: Vec<[u64; 3]>,
    each: u64,
}

impl EventLog {
    pub(crate) fn new(_: &Run, rng: &mut Rng) -> Self {
        Self { events: Vec::new(), each: rng.u64(1..4) }
    }
}

impl Program for EventLog {
    fn serve(&mut self, now: &Now, _: &mut Rng) {
        for _ in 0..self.each {
            self.events.push([now.request; 3]);
        }
    }
}

/// Leak: a table of everything that ever passed.
pub(crate) struct SeenIds {
    seen: HashMap<u64, [u64; 2]>,
    each: u64,
}

impl SeenIds {
    pub(crate) fn new(_: &Run, rng: &mut Rng) -> Self {
        Self { seen: HashMap::new(), each: rng.u64(1..4) }
    }
}

impl Program for SeenIds {
    fn serve(&mut self, now: &Now, _: &mut Rng) {
        for k in 0..self.each {
            self.seen.insert(now.request * self.each + k, [now.request; 2]);
        }
    }
}

/// Leak: the same in shards, as in a concurrent map.
pub(crate) struct SessionShards {
    shards: Vec<HashMap<u64, [u64; 5]>>,
}

impl SessionShards {
    pub(crate) fn new(_: &Run, _: &mut Rng) -> Self {
        Self { shards: (0..SHARDS).map(|_| HashMap::new()).collect() }
    }
}

impl Program for SessionShards {
    fn serve(&mut self, now: &Now, rng: &mut Rng) {
        self.shards[rng.usize(..SHARDS as usize)].insert(now.request, [now.request; 5]);
    }
}

/// Leak: tasks in pages, each twice as large as the one before, of which none is freed.
pub(crate) struct TaskPages {
    pages: Vec<Vec<[u64; 4]>>,
}

impl TaskPages {
    pub(crate) fn new(_: &Run, _: &mut Rng) -> Self {
        Self { pages: Vec::new() }
    }
}

impl Program for TaskPages {
    fn serve(&mut self, now: &Now, _: &mut Rng) {
        let full = self.pages.last().is_none_or(|page| page.len() == page.capacity());
        if full {
            self.pages.push(Vec::with_capacity(16 << self.pages.len()));
        }
        if let Some(page) = self.pages.last_mut() {
            page.push([now.request; 4]);
        }
    }
}
