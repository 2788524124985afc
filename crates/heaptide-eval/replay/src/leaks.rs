//! Leaks of blocks: what is kept without end, and in which company.

use std::collections::{BTreeMap, HashMap, VecDeque};

use fastrand::Rng;

use crate::program::{Now, Program, Run};

/// Nobody ends a session; it is three blocks.
pub(crate) struct Sessions {
    sessions: BTreeMap<u64, Box<Session>>,
    share: f64,
}

struct Session {
    _name: String,
    cart: Vec<u32>,
}

impl Sessions {
    pub(crate) fn new(_: &Run, rng: &mut Rng) -> Self {
        Self { sessions: BTreeMap::new(), share: 0.05 + 0.9 * rng.f64() }
    }
}

impl Program for Sessions {
    fn serve(&mut self, now: &Now, rng: &mut Rng) {
        if rng.f64() < self.share {
            let session = Session { _name: format!("visitor {}", now.request), cart: vec![7; 9] };
            self.sessions.insert(now.request, Box::new(session));
        }
        if let Some((_, session)) = self.sessions.last_key_value() {
            assert_eq!(session.cart[0], 7);
        }
    }
}

/// A few requests in a hundred fail, and their context is never dropped.
pub(crate) struct ErrorPath {
    lost: Vec<Box<[u8; 256]>>,
    share: f64,
}

impl ErrorPath {
    pub(crate) fn new(_: &Run, rng: &mut Rng) -> Self {
        Self { lost: Vec::new(), share: 0.02 + 0.06 * rng.f64() }
    }
}

impl Program for ErrorPath {
    fn serve(&mut self, _: &Now, rng: &mut Rng) {
        let context = Box::new([1; 256]);
        if rng.f64() < self.share {
            self.lost.push(context);
        }
    }
}

/// One request in a hundred and fifty.
pub(crate) struct Slow {
    lost: Vec<String>,
}

impl Slow {
    pub(crate) fn new(_: &Run, _: &mut Rng) -> Self {
        Self { lost: Vec::new() }
    }
}

impl Program for Slow {
    fn serve(&mut self, now: &Now, rng: &mut Rng) {
        let line = format!("request {} took long", now.request);
        if rng.u32(..150) == 0 {
            self.lost.push(line);
        }
    }
}

/// A tenth of the requests, since something was switched on.
pub(crate) struct Late {
    kept: Vec<Box<[u64; 20]>>,
    from: f64,
}

impl Late {
    pub(crate) fn new(_: &Run, rng: &mut Rng) -> Self {
        Self { kept: Vec::new(), from: 0.2 + 0.2 * rng.f64() }
    }
}

impl Program for Late {
    fn serve(&mut self, now: &Now, rng: &mut Rng) {
        let record = Box::new([now.request; 20]);
        if now.share > self.from && rng.u32(..10) == 0 {
            self.kept.push(record);
        }
    }
}

/// Something that happens every few epochs leaves a handful behind.
pub(crate) struct Bursts {
    kept: Vec<Box<[u8; 80]>>,
    every: u64,
}

impl Bursts {
    pub(crate) fn new(_: &Run, rng: &mut Rng) -> Self {
        Self { kept: Vec::new(), every: rng.u64(2..4) }
    }
}

impl Program for Bursts {
    fn serve(&mut self, now: &Now, rng: &mut Rng) {
        let entry = Box::new([3; 80]);
        if (now.time as u64).is_multiple_of(self.every) && rng.u32(..8) == 0 {
            self.kept.push(entry);
        }
    }
}

/// Some sessions are forgotten by whoever ends the others.
pub(crate) struct MissedExpiry {
    ending: VecDeque<(f64, Box<[u8; 144]>)>,
    forgotten: Vec<Box<[u8; 144]>>,
    share: f64,
}

impl MissedExpiry {
    pub(crate) fn new(_: &Run, rng: &mut Rng) -> Self {
        let share = 0.05 + 0.1 * rng.f64();
        Self { ending: VecDeque::new(), forgotten: Vec::new(), share }
    }
}

impl Program for MissedExpiry {
    fn serve(&mut self, now: &Now, rng: &mut Rng) {
        let session = Box::new([4; 144]);
        match rng.u32(..12) {
            0 => self.forgotten.push(session),
            _ => self.ending.push_back((now.share + self.share, session)),
        }
        while self.ending.front().is_some_and(|(end, _)| *end < now.share) {
            self.ending.pop_front();
        }
    }
}

/// A cache whose eviction misses some entries.
pub(crate) struct LosingCache {
    entries: VecDeque<Vec<u8>>,
    lost: Vec<Vec<u8>>,
    capacity: usize,
}

impl LosingCache {
    pub(crate) fn new(run: &Run, rng: &mut Rng) -> Self {
        let capacity = run.part(0.05 + 0.1 * rng.f64());
        Self { entries: VecDeque::new(), lost: Vec::new(), capacity }
    }
}

impl Program for LosingCache {
    fn serve(&mut self, _: &Now, rng: &mut Rng) {
        self.entries.push_back(vec![5; rng.usize(40..200)]);
        if self.entries.len() > self.capacity {
            let evicted = self.entries.pop_front();
            if rng.u32(..6) == 0 {
                self.lost.extend(evicted);
            }
        }
    }
}

/// The same site fills a cache that evicts at random, and a list that evicts nothing.
pub(crate) struct BesideRandomEvict {
    entries: Vec<Box<[u8; 112]>>,
    kept: Vec<Box<[u8; 112]>>,
    capacity: usize,
}

impl BesideRandomEvict {
    pub(crate) fn new(run: &Run, rng: &mut Rng) -> Self {
        let capacity = run.part(0.05 + 0.05 * rng.f64());
        Self { entries: Vec::new(), kept: Vec::new(), capacity }
    }
}

impl Program for BesideRandomEvict {
    fn serve(&mut self, _: &Now, rng: &mut Rng) {
        let entry = Box::new([6; 112]);
        if rng.u32(..5) == 0 {
            self.kept.push(entry);
            return;
        }
        if self.entries.len() == self.capacity {
            self.entries.swap_remove(rng.usize(..self.capacity));
        }
        self.entries.push(entry);
    }
}

/// A counter for every value of a label that has no end of values.
pub(crate) struct Labels {
    counters: HashMap<String, u64>,
    users: f64,
}

impl Labels {
    pub(crate) fn new(_: &Run, rng: &mut Rng) -> Self {
        Self { counters: HashMap::new(), users: 0.2 + 0.6 * rng.f64() }
    }
}

impl Program for Labels {
    fn serve(&mut self, now: &Now, rng: &mut Rng) {
        let newcomer = rng.f64() < self.users;
        let user = if newcomer { now.request } else { rng.u64(..=now.request) };
        *self.counters.entry(format!("requests{{user=\"{user}\"}}")).or_default() += 1;
    }
}

/// Orders come faster than they are shipped.
pub(crate) struct GrowingQueue {
    orders: VecDeque<Box<[u64; 16]>>,
    shipped: f64,
}

impl GrowingQueue {
    pub(crate) fn new(_: &Run, rng: &mut Rng) -> Self {
        Self { orders: VecDeque::new(), shipped: 0.1 + 0.2 * rng.f64() }
    }
}

impl Program for GrowingQueue {
    fn serve(&mut self, now: &Now, rng: &mut Rng) {
        self.orders.push_back(Box::new([now.request; 16]));
        if rng.f64() < self.shipped {
            self.orders.pop_front();
        }
    }
}

/// Some buffers come back to the pool, and none is ever taken from it.
pub(crate) struct WastefulPool {
    free: Vec<Vec<u8>>,
    returned: f64,
}

impl WastefulPool {
    pub(crate) fn new(_: &Run, rng: &mut Rng) -> Self {
        Self { free: Vec::new(), returned: 0.1 + 0.3 * rng.f64() }
    }
}

impl Program for WastefulPool {
    fn serve(&mut self, _: &Now, rng: &mut Rng) {
        let buffer = vec![0; 512];
        if rng.f64() < self.returned {
            self.free.push(buffer);
        }
    }
}

/// Segments of a log that are never merged.
pub(crate) struct Journal {
    segments: Vec<Box<[u64]>>,
    open: Vec<u64>,
    length: usize,
}

impl Journal {
    pub(crate) fn new(_: &Run, rng: &mut Rng) -> Self {
        Self { segments: Vec::new(), open: Vec::new(), length: rng.usize(20..50) }
    }
}

impl Program for Journal {
    fn serve(&mut self, now: &Now, _: &mut Rng) {
        self.open.push(now.request);
        if self.open.len() == self.length {
            self.segments.push(self.open.clone().into_boxed_slice());
            self.open.clear();
        }
    }
}

/// A large table first, then a few blocks more with each epoch, from the same place.
pub(crate) struct AfterLargeStart {
    kept: Vec<Box<[u8; 72]>>,
    table: usize,
}

impl AfterLargeStart {
    pub(crate) fn new(_: &Run, rng: &mut Rng) -> Self {
        Self { kept: Vec::new(), table: rng.usize(500..3000) }
    }
}

impl Program for AfterLargeStart {
    fn serve(&mut self, now: &Now, rng: &mut Rng) {
        let wanted = match now.request {
            0 => self.table,
            _ => usize::from(rng.u32(..20) == 0),
        };
        for _ in 0..wanted {
            self.kept.push(Box::new([8; 72]));
        }
    }
}
