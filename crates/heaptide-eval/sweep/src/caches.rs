//! Healthy: caches and sets of keys that fill, at any time between a tenth and nine tenths of a
//! run.

use std::collections::{HashMap, HashSet};

use dashmap::DashMap;
use fastrand::Rng;
use hashlink::LruCache;

use crate::generator::{Now, Played, Run};

/// A share of the run.
fn full_at(rng: &mut Rng) -> f64 {
    0.1 + 0.8 * rng.f64()
}

/// Requests for random keys, of which so many are kept.
struct Requests {
    capacity: u64,
    keys: u64,
}

impl Requests {
    /// The cache is full at a share of the run, whatever the number of keys is.
    fn new(run: &Run, (per_request, earlier): (u64, f64), rng: &mut Rng) -> Self {
        let requests = (per_request * run.part(full_at(rng) * earlier)) as f64;
        // From keys that are hardly ever asked for again to those that mostly are.
        let capacity = requests * (0.5 + 0.5 * rng.f64());
        // Of `keys` random ones, `keys * (1 - exp(-requests / keys))` are different.
        let differ = |keys: f64| keys * (1.0 - (-requests / keys).exp());
        let (mut few, mut many) = (capacity, 1e4 * capacity);
        for _ in 0..60 {
            let keys = (few * many).sqrt();
            if differ(keys) < capacity { few = keys } else { many = keys }
        }
        Self { capacity: capacity as u64, keys: many as u64 }
    }

    fn key(&self, rng: &mut Rng) -> u64 {
        rng.u64(..self.keys).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

macro_rules! cached {
    ($(#[$about:meta])* $name:ident($cache:ty) $(x $times:literal at $earlier:literal)?, $new:expr, $serve:expr) => {
        $(#[$about])*
        pub(crate) struct $name {
            requests: Requests,
            cache: $cache,
        }

        impl $name {
            /// Keys that a request asks for.
            const PER_REQUEST: u64 = 1 $(* $times)?;
            /// What share of the time until its blocks are as many as they will be it takes until
            /// it has all its entries.
            const EARLIER: f64 = 1.0 $(* $earlier)?;

            pub(crate) fn new(run: &Run, rng: &mut Rng) -> Self {
                let requests = Requests::new(run, (Self::PER_REQUEST, Self::EARLIER), rng);
                let new: fn(u64) -> $cache = $new;
                let cache = new(requests.capacity);
                Self { requests, cache }
            }
        }

        impl Played for $name {
            fn serve(&mut self, _: &Now, rng: &mut Rng) {
                let serve: fn(&mut $cache, u64, u64, &mut Rng) = $serve;
                for _ in 0..Self::PER_REQUEST {
                    serve(&mut self.cache, self.requests.key(rng), self.requests.capacity, rng);
                }
            }
        }
    };
}

cached!(
/// The least recently used goes; a node for each entry.
Hashlink(LruCache<u64, [u64; 4]>),
|capacity| LruCache::new(capacity as usize),
|cache, key, _, _| {
    if cache.get(&key).is_none() {
        cache.insert(key, [key; 4]);
    }
});
cached!(
    /// It puts off what it has to do for a while, which a run of a second has to ask for. What it has
    /// removed stays on the heap until a reclamation by epochs takes it: beside a thousand entries
    /// that is half as much again, beside fifty thousand a tenth to a fifth.
    Moka(moka::sync::Cache<u64, [u64; 4]>) x 8 at 0.8,
    moka::sync::Cache::new,
    |cache, key, _, _| {
        cache.get_with(key, || [key; 4]);
        cache.run_pending_tasks();
    }
);
cached!(
    QuickCacheBoxed(quick_cache::sync::Cache<u64, Box<[u8; 48]>>),
    |capacity| quick_cache::sync::Cache::new(capacity as usize),
    |cache, key, _, _| {
        if cache.get(&key).is_none() {
            cache.insert(key, Box::new([0; 48]));
        }
    }
);
cached!(
    QuickCacheInline(quick_cache::sync::Cache<u64, [u64; 4]>),
    |capacity| quick_cache::sync::Cache::new(capacity as usize),
    |cache, key, _, _| {
        if cache.get(&key).is_none() {
            cache.insert(key, [key; 4]);
        }
    }
);
cached!(
/// Takes in nothing more when it is full.
DashMapBoxed(DashMap<u64, Box<[u64; 6]>>),
|_| DashMap::with_shard_amount(8),
|cache, key, capacity, _| {
    if (cache.len() as u64) < capacity {
        cache.entry(key).or_insert_with(|| Box::new([key; 6]));
    }
});
cached!(
    /// Any goes when it is full.
    MapBoxed(Evicting<Box<[u64; 6]>>),
    |_| Evicting::default(),
    |cache, key, capacity, rng| cache.ask(key, capacity, rng, || Box::new([key; 6])));
cached!(MapInline(Evicting<[u64; 4]>), |_| Evicting::default(), |cache, key, capacity, rng| cache
    .ask(key, capacity, rng, || [key; 4]));
cached!(
/// All names there are.
Interner(HashSet<String>),
|_| HashSet::new(),
|names, key, capacity, _| {
    if (names.len() as u64) < capacity {
        names.insert(format!("name-{key}"));
    }
});

/// A map that evicts at random.
#[derive(Default)]
struct Evicting<V> {
    values: HashMap<u64, V>,
    keys: Vec<u64>,
}

impl<V> Evicting<V> {
    fn ask(&mut self, key: u64, capacity: u64, rng: &mut Rng, value: impl FnOnce() -> V) {
        if self.values.contains_key(&key) {
            return;
        }
        if self.keys.len() as u64 >= capacity {
            let at = rng.usize(..self.keys.len());
            self.values.remove(&self.keys.swap_remove(at));
        }
        self.values.insert(key, value());
        self.keys.push(key);
    }
}

/// A share of the run in which a set of keys is nearly all seen.
fn keys(run: &Run, rng: &mut Rng) -> u64 {
    run.part(full_at(rng) / 3.0)
}

/// A table of all keys there are.
pub(crate) struct Keys {
    keys: u64,
    seen: HashMap<u64, [u64; 3]>,
}

impl Keys {
    pub(crate) fn new(run: &Run, rng: &mut Rng) -> Self {
        Self { keys: keys(run, rng), seen: HashMap::new() }
    }
}

impl Played for Keys {
    fn serve(&mut self, now: &Now, rng: &mut Rng) {
        self.seen.insert(rng.u64(..self.keys), [now.request; 3]);
    }
}

/// The same in shards.
pub(crate) struct KeysInShards {
    keys: u64,
    seen: DashMap<u64, [u64; 3]>,
}

impl KeysInShards {
    pub(crate) fn new(run: &Run, rng: &mut Rng) -> Self {
        Self { keys: keys(run, rng), seen: DashMap::with_shard_amount(16) }
    }
}

impl Played for KeysInShards {
    fn serve(&mut self, now: &Now, rng: &mut Rng) {
        self.seen.insert(rng.u64(..self.keys), [now.request; 3]);
    }
}
