//! The generators, by name.

use crate::generator::{Generator, Label};
use crate::{caches, growing, pools, tables};

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
