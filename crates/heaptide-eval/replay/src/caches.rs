//! Healthy: what is kept on purpose, up to a bound.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use fastrand::Rng;

use crate::program::{Now, Program, Run};

/// The oldest entry goes when the cache is full.
pub(crate) struct Fifo {
    entries: VecDeque<Vec<u8>>,
    capacity: usize,
}

impl Fifo {
    pub(crate) fn new(run: &Run, rng: &mut Rng) -> Self {
        Self { entries: VecDeque::new(), capacity: run.part(0.05 + 0.3 * rng.f64()) }
    }
}

impl Program for Fifo {
    fn serve(&mut self, _: &Now, rng: &mut Rng) {
        if self.entries.len() == self.capacity {
            self.entries.pop_front();
        }
        self.entries.push_back(vec![1; rng.usize(40..400)]);
    }
}

/// The entry that was asked for longest ago goes when the cache is full; few keys are asked for
/// often.
pub(crate) struct Lru {
    entries: HashMap<u64, (u64, String)>,
    by_use: BTreeMap<u64, u64>,
    capacity: usize,
    keys: f64,
}

impl Lru {
    pub(crate) fn new(run: &Run, rng: &mut Rng) -> Self {
        let capacity = run.part(0.02 + 0.08 * rng.f64());
        Self {
            entries: HashMap::new(),
            by_use: BTreeMap::new(),
            capacity,
            keys: 8.0 * capacity as f64,
        }
    }
}

impl Program for Lru {
    fn serve(&mut self, now: &Now, rng: &mut Rng) {
        let key = (self.keys * rng.f64().powi(3)) as u64;
        let before =
            self.entries.get_mut(&key).map(|(used, _)| std::mem::replace(used, now.request));
        match before {
            Some(used) => {
                self.by_use.remove(&used);
            }
            None => {
                self.entries.insert(key, (now.request, format!("page {key:>60}")));
            }
        }
        self.by_use.insert(now.request, key);
        if self.entries.len() > self.capacity
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            self.entries.remove(&oldest);
        }
    }
}

/// Some entry goes when the cache is full.
pub(crate) struct RandomEvict {
    entries: Vec<Box<[u8; 120]>>,
    capacity: usize,
}

impl RandomEvict {
    pub(crate) fn new(run: &Run, rng: &mut Rng) -> Self {
        Self { entries: Vec::new(), capacity: run.part(0.05 + 0.15 * rng.f64()) }
    }
}

impl Program for RandomEvict {
    fn serve(&mut self, _: &Now, rng: &mut Rng) {
        if self.entries.len() == self.capacity {
            self.entries.swap_remove(rng.usize(..self.capacity));
        }
        self.entries.push(Box::new([2; 120]));
    }
}

/// Every name is kept once; there are only so many.
pub(crate) struct Interner {
    names: HashSet<String>,
    different: u64,
}

impl Interner {
    pub(crate) fn new(run: &Run, rng: &mut Rng) -> Self {
        // Each name comes ten to twenty times.
        Self { names: HashSet::new(), different: run.part(0.05 + 0.05 * rng.f64()) as u64 }
    }
}

impl Program for Interner {
    fn serve(&mut self, _: &Now, rng: &mut Rng) {
        let name = format!("customer {}", rng.u64(..self.different));
        self.names.insert(name);
    }
}

/// Buffers go back to where they came from; as many are kept as were ever in use at once.
pub(crate) struct Pool {
    free: Vec<Vec<u8>>,
    in_use: VecDeque<Vec<u8>>,
    mean_in_use: f64,
}

impl Pool {
    pub(crate) fn new(_: &Run, rng: &mut Rng) -> Self {
        let mean_in_use = f64::from(rng.u32(20..80));
        Self { free: Vec::new(), in_use: VecDeque::new(), mean_in_use }
    }
}

impl Program for Pool {
    fn serve(&mut self, _: &Now, rng: &mut Rng) {
        let wanted = (self.mean_in_use * (0.5 + rng.f64())) as usize;
        while self.in_use.len() < wanted {
            let buffer = self.free.pop().unwrap_or_else(|| vec![0; 512]);
            self.in_use.push_back(buffer);
        }
        while self.in_use.len() > wanted {
            self.free.extend(self.in_use.pop_front());
        }
    }
}

/// A log in segments of growing size: two of a size are merged into one, and what is outdated goes.
pub(crate) struct Segments {
    segments: Vec<Vec<u64>>,
    keys: u64,
}

impl Segments {
    pub(crate) fn new(run: &Run, rng: &mut Rng) -> Self {
        Self { segments: Vec::new(), keys: run.part(0.02 + 0.05 * rng.f64()) as u64 }
    }

    /// Merges from the end as long as the newer segment is not much smaller than the older.
    fn compact(&mut self) {
        while let [.., older, newer] = &self.segments[..] {
            if newer.len() * 2 < older.len() {
                return;
            }
            let mut merged: Vec<u64> = older.iter().chain(newer).copied().collect();
            merged.sort_unstable();
            merged.dedup();
            merged.shrink_to_fit();
            self.segments.truncate(self.segments.len() - 2);
            self.segments.push(merged);
        }
    }
}

impl Program for Segments {
    fn serve(&mut self, now: &Now, rng: &mut Rng) {
        if now.request.is_multiple_of(32) {
            self.segments.push((0..32).map(|_| rng.u64(..self.keys)).collect());
            self.compact();
        }
    }
}
