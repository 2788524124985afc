//! What a generator is, and the list of them.

use fastrand::Rng;

use crate::{caches, growing, pools, tables};

/// State that requests change.
pub(crate) trait Played {
    fn serve(&mut self, now: &Now, rng: &mut Rng);
}

/// How long a run is.
pub(crate) struct Run {
    /// Requests before each snapshot.
    pub(crate) requests: Vec<u64>,
    /// Requests of the whole run.
    pub(crate) all: u64,
}

impl Run {
    /// A run of the same length has about as much to do, whatever the number of its snapshots.
    pub(crate) fn new(n_snapshots: u32, rng: &mut Rng) -> Self {
        let all = 2_000.0 * 6.0_f64.powf(rng.f64());
        let mean = all / f64::from(n_snapshots);
        let spread = if rng.bool() { 0.0 } else { 0.5 };
        let one = |_| (mean * (1.0 + spread * (2.0 * rng.f64() - 1.0))).max(1.0) as u64;
        let requests: Vec<u64> = (0..n_snapshots).map(one).collect();
        let all = requests.iter().sum();
        Self { requests, all }
    }

    /// A share of all requests, at least one.
    pub(crate) fn part(&self, share: f64) -> u64 {
        ((share * self.all as f64) as u64).max(1)
    }
}

/// Where a run stands.
pub(crate) struct Now {
    /// In requests,
    pub(crate) request: u64,
    /// and as a share of the run.
    pub(crate) share: f64,
}

#[derive(Clone, Copy)]
pub(crate) enum Label {
    Healthy,
    Leak,
    /// Healthy, but until its bound shows it does to the last byte what a leak does.
    Open,
}

impl Label {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Leak => "leak",
            Self::Open => "open",
        }
    }
}

/// Something that can be played.
pub(crate) struct Generator {
    pub(crate) name: &'static str,
    pub(crate) label: Label,
    pub(crate) start: fn(&Run, &mut Rng) -> Box<dyn Played>,
}

macro_rules! generator {
    ($label:ident $name:literal $played:ty) => {
        Generator {
            name: $name,
            label: Label::$label,
            start: |run, rng| Box::new(<$played>::new(run, rng)),
        }
    };
}

pub(crate) const GENERATORS: &[Generator] = &[
    generator!(Healthy "slab-walk" tables::SlabWalk),
    generator!(Healthy "hashbrown-walk" tables::HashbrownWalk),
    generator!(Healthy "std-map-walk" tables::StdMapWalk),
    generator!(Healthy "deque-walk" tables::DequeWalk),
    generator!(Healthy "heap-walk" tables::HeapWalk),
    generator!(Healthy "btree-walk" tables::BTreeWalk),
    generator!(Healthy "hashlink-walk" tables::HashlinkWalk),
    generator!(Healthy "dashmap-walk" tables::DashMapWalk),
    generator!(Healthy "shards-walk" tables::ShardsWalk),
    generator!(Healthy "seg-queue-walk" tables::SegQueueWalk),
    generator!(Healthy "array-queue" tables::BoundedQueue),
    generator!(Healthy "connections-walk" tables::ConnectionsWalk),
    generator!(Healthy "pool-ramps" pools::Ramps),
    generator!(Healthy "pool-walk" pools::Walks),
    generator!(Healthy "pool-of-slab" pools::SlabOfBoxes),
    generator!(Healthy "pool-of-queue" pools::Queued),
    generator!(Healthy "hashlink-fills" caches::Hashlink),
    generator!(Healthy "moka-fills" caches::Moka),
    generator!(Healthy "quick-cache-fills" caches::QuickCacheBoxed),
    generator!(Healthy "dashmap-fills" caches::DashMapBoxed),
    generator!(Healthy "map-fills-boxed" caches::MapBoxed),
    generator!(Healthy "interner-fills" caches::Interner),
    generator!(Healthy "keys-run-out" caches::Keys),
    generator!(Healthy "keys-run-out-in-shards" caches::KeysInShards),
    generator!(Open "map-fills-inline" caches::MapInline),
    generator!(Open "quick-cache-fills-inline" caches::QuickCacheInline),
    generator!(Open "slab-ramps" pools::InlineRamps),
    generator!(Leak "std-map" growing::StdMap),
    generator!(Leak "hashbrown" growing::Hashbrown),
    generator!(Leak "log" growing::Log),
    generator!(Leak "text-log" growing::TextLog),
    generator!(Leak "deque" growing::Deque),
    generator!(Leak "slab" growing::SlabKept),
    generator!(Leak "timers" growing::Timers),
    generator!(Leak "btree" growing::BTree),
    generator!(Leak "interner" growing::Interner),
    generator!(Leak "interner-arena" growing::InternerArena),
    generator!(Leak "hashlink" growing::Hashlink),
    generator!(Leak "moka-unbounded" growing::Moka),
    generator!(Leak "dashmap-boxed" growing::DashMapBoxed),
    generator!(Leak "dashmap-inline" growing::DashMapInline),
    generator!(Leak "shards" growing::Shards),
    generator!(Leak "connections" growing::Connections),
    generator!(Leak "topics" growing::Topics),
    generator!(Leak "seg-queue" growing::SegQueueKept),
    generator!(Leak "abandoned" growing::Abandoned),
    generator!(Leak "from-midway" growing::FromMidway),
];
