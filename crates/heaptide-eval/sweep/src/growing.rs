//! Leaks: containers from which nobody removes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};

use crossbeam_queue::SegQueue;
use dashmap::DashMap;
use fastrand::Rng;
use hashlink::LinkedHashMap;
use slab::Slab;

use crate::crowd::{Crowd, Move};
use crate::generator::{Now, Played, Run};

/// What of a run is kept, and how much of it.
struct Kept {
    /// The probability that a request leaves something,
    share: f64,
    /// and how much it is then.
    n: u64,
}

impl Kept {
    fn new(rng: &mut Rng) -> Self {
        Self { share: 0.2 + 0.8 * rng.f64(), n: rng.u64(1..6) }
    }

    /// Numbers for what the request leaves.
    fn of(&self, now: &Now, rng: &mut Rng) -> impl Iterator<Item = u64> + use<> {
        let n = if rng.f64() < self.share { self.n } else { 0 };
        let first = now.request * self.n;
        first..first + n
    }
}

macro_rules! growing {
    ($(#[$about:meta])* $name:ident($into:ty = $new:expr), $keep:expr) => {
        $(#[$about])*
        pub(crate) struct $name {
            kept: Kept,
            into: $into,
        }

        impl $name {
            pub(crate) fn new(_: &Run, rng: &mut Rng) -> Self {
                Self { kept: Kept::new(rng), into: $new }
            }
        }

        impl Played for $name {
            fn serve(&mut self, now: &Now, rng: &mut Rng) {
                let keep: fn(&mut $into, u64, &mut Rng) = $keep;
                self.kept.of(now, rng).for_each(|id| keep(&mut self.into, id, rng));
            }
        }
    };
}

growing!(StdMap(HashMap<u64, [u64; 3]> = HashMap::new()),
    |it, id, _| { it.insert(id, [id; 3]); });
growing!(Hashbrown(hashbrown::HashMap<u64, [u64; 6]> = hashbrown::HashMap::new()),
    |it, id, _| { it.insert(id, [id; 6]); });
growing!(Log(Vec<[u64; 4]> = Vec::new()), |it, id, _| it.push([id; 4]));
growing!(
/// Lines of different lengths in one buffer.
TextLog(String = String::new()),
|it, id, rng| {
    it.push_str(&format!("request {id}"));
    it.extend(std::iter::repeat_n('.', rng.usize(..40)));
});
growing!(Deque(VecDeque<[u64; 3]> = VecDeque::new()), |it, id, _| it.push_back([id; 3]));
growing!(SlabKept(Slab<[u64; 5]> = Slab::new()), |it, id, _| { it.insert([id; 5]); });
growing!(Timers(BinaryHeap<Reverse<(u64, [u64; 3])>> = BinaryHeap::new()),
    |it, id, _| it.push(Reverse((id, [id; 3]))));
growing!(BTree(BTreeMap<u64, [u64; 4]> = BTreeMap::new()),
    |it, id, _| { it.insert(id.wrapping_mul(0x9E37_79B9_7F4A_7C15), [id; 4]); });
growing!(Interner(HashMap<String, u64> = HashMap::new()),
    |it, id, _| { it.insert(format!("name-{id}"), id); });
growing!(
/// All names in one text, found by where they begin and end.
InternerArena((String, Vec<(u32, u32)>) = (String::new(), Vec::new())),
|(text, spans), id, _| {
    let start = text.len() as u32;
    text.push_str(&format!("name-{id}"));
    spans.push((start, text.len() as u32));
});
growing!(Hashlink(LinkedHashMap<u64, [u64; 4]> = LinkedHashMap::new()),
    |it, id, _| { it.insert(id, [id; 4]); });
growing!(
    /// A cache that nobody gave a bound.
    Moka(moka::sync::Cache<u64, [u64; 4]> = moka::sync::Cache::builder().build()),
    |it, id, _| it.insert(id, [id; 4]));
growing!(DashMapBoxed(DashMap<u64, Box<[u64; 6]>> = DashMap::with_shard_amount(8)),
    |it, id, _| { it.insert(id, Box::new([id; 6])); });
growing!(DashMapInline(DashMap<u64, [u64; 6]> = DashMap::with_shard_amount(16)),
    |it, id, _| { it.insert(id, [id; 6]); });
growing!(Shards(Vec<HashMap<u64, [u64; 4]>> = vec![HashMap::new(); 8]),
    |it, id, rng| { it[rng.usize(..8)].insert(id, [id; 4]); });
growing!(
    /// Connections that last, each with a history.
    Connections(Vec<Vec<[u64; 2]>> = vec![Vec::new(); 24]),
    |it, id, rng| it[rng.usize(..24)].push([id; 2]));
growing!(
    /// Subscribers by topic, of which some are far more popular than others.
    Topics(HashMap<u64, Vec<u64>> = HashMap::new()),
    |it, id, rng| it.entry((40.0 * rng.f64() * rng.f64()) as u64).or_default().push(id));
growing!(SegQueueKept(SegQueue<[u64; 4]> = SegQueue::new()), |it, id, _| it.push([id; 4]));

/// Sessions come and go with a crowd, and some never go.
pub(crate) struct Abandoned {
    crowd: Crowd,
    share: f64,
    sessions: HashMap<u64, [u64; 4]>,
}

impl Abandoned {
    pub(crate) fn new(_: &Run, rng: &mut Rng) -> Self {
        let (crowd, share) = (Crowd::steady(rng), 0.1 + 0.3 * rng.f64());
        Self { crowd, share, sessions: HashMap::new() }
    }
}

impl Played for Abandoned {
    fn serve(&mut self, now: &Now, rng: &mut Rng) {
        let Self { crowd, share, sessions } = self;
        let mut luck = rng.fork();
        crowd.moves(now.request, rng, |it| match it {
            Move::Arrives(id) => {
                sessions.insert(id, [id; 4]);
            }
            Move::Leaves(id) if luck.f64() >= *share => {
                sessions.remove(&id);
            }
            Move::Leaves(_) => {}
        });
    }
}

/// A log that begins somewhere in the first half of the run.
pub(crate) struct FromMidway {
    since: f64,
    kept: Kept,
    log: Vec<[u64; 4]>,
}

impl FromMidway {
    pub(crate) fn new(_: &Run, rng: &mut Rng) -> Self {
        Self { since: 0.5 * rng.f64(), kept: Kept::new(rng), log: Vec::new() }
    }
}

impl Played for FromMidway {
    fn serve(&mut self, now: &Now, rng: &mut Rng) {
        if now.share >= self.since {
            self.log.extend(self.kept.of(now, rng).map(|id| [id; 4]));
        }
    }
}
