//! Healthy: tables of what is there at once. They keep the size of their high water.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};

use crossbeam_queue::{ArrayQueue, SegQueue};
use dashmap::DashMap;
use fastrand::Rng;
use hashlink::LinkedHashMap;
use slab::Slab;

use crate::crowd::{Crowd, Move, Walk};
use crate::generator::{Now, Played, Run};

/// A table whose entries come and go with a crowd.
macro_rules! walked {
    ($(#[$about:meta])* $name:ident($table:ty = $new:expr), $insert:expr, $remove:expr) => {
        $(#[$about])*
        pub(crate) struct $name {
            crowd: Crowd,
            table: $table,
        }

        impl $name {
            pub(crate) fn new(_: &Run, rng: &mut Rng) -> Self {
                Self { crowd: Crowd::new(rng), table: $new }
            }
        }

        impl Played for $name {
            fn serve(&mut self, now: &Now, rng: &mut Rng) {
                let Self { crowd, table } = self;
                let (insert, remove): (fn(&mut $table, u64), fn(&mut $table, u64)) =
                    ($insert, $remove);
                crowd.moves(now.request, rng, |it| match it {
                    Move::Arrives(id) => insert(table, id),
                    Move::Leaves(id) => remove(table, id),
                });
            }
        }
    };
}

/// Sessions in a slab, and an index from their number to their key.
#[derive(Default)]
pub(crate) struct Sessions {
    slab: Slab<[u64; 8]>,
    keys: hashbrown::HashMap<u64, usize>,
}

walked!(
    SlabWalk(Sessions = Sessions::default()),
    |it, id| {
        let key = it.slab.insert([id; 8]);
        it.keys.insert(id, key);
    },
    |it, id| {
        it.keys.remove(&id).map(|key| it.slab.remove(key));
    }
);
walked!(HashbrownWalk(hashbrown::HashMap<u64, [u64; 3]> = hashbrown::HashMap::new()),
    |it, id| { it.insert(id, [id; 3]); },
    |it, id| { it.remove(&id); });
walked!(StdMapWalk(HashMap<u64, [u64; 5]> = HashMap::new()),
    |it, id| { it.insert(id, [id; 5]); },
    |it, id| { it.remove(&id); });
walked!(
    /// A tree allocates and frees its nodes; the entries are inline.
    BTreeWalk(BTreeMap<u64, [u64; 4]> = BTreeMap::new()),
    |it, id| { it.insert(id, [id; 4]); },
    |it, id| { it.remove(&id); });
walked!(
    /// Nodes of their own, which are used again.
    HashlinkWalk(LinkedHashMap<u64, [u64; 4]> = LinkedHashMap::new()),
    |it, id| { it.insert(id, [id; 4]); },
    |it, id| { it.remove(&id); });
walked!(DashMapWalk(DashMap<u64, [u64; 4]> = DashMap::with_shard_amount(16)),
    |it, id| { it.insert(id, [id; 4]); },
    |it, id| { it.remove(&id); });
walked!(ShardsWalk(Vec<HashMap<u64, [u64; 2]>> = vec![HashMap::new(); 8]),
    |it, id| { it[(id % 8) as usize].insert(id, [id; 2]); },
    |it, id| { it[(id % 8) as usize].remove(&id); });
walked!(
    /// A buffer for each connection, as large as its largest message so far.
    ConnectionsWalk(HashMap<u64, Vec<u8>> = HashMap::new()),
    |it, id| { it.insert(id, Vec::with_capacity(64 << (id % 5))); },
    |it, id| { it.remove(&id); });

/// A queue whose length walks: put in behind, taken out in front.
macro_rules! queued {
    ($(#[$about:meta])* $name:ident($queue:ty), $push:expr, $pop:expr) => {
        $(#[$about])*
        pub(crate) struct $name {
            walk: Walk,
            queue: $queue,
        }

        impl $name {
            pub(crate) fn new(_: &Run, rng: &mut Rng) -> Self {
                Self { walk: Walk::new(rng), queue: Default::default() }
            }
        }

        impl Played for $name {
            fn serve(&mut self, now: &Now, rng: &mut Rng) {
                let (push, pop): (fn(&mut $queue, u64), fn(&mut $queue)) = ($push, $pop);
                let wanted = self.walk.wanted(now.request, rng);
                for k in 0..12 {
                    push(&mut self.queue, now.request * 12 + k);
                }
                while self.queue.len() > wanted {
                    pop(&mut self.queue);
                }
            }
        }
    };
}

queued!(DequeWalk(VecDeque<[u64; 4]>), |it, id| it.push_back([id; 4]), |it| {
    it.pop_front();
});
queued!(
    /// Timers by their time.
    HeapWalk(BinaryHeap<Reverse<(u64, [u64; 3])>>),
    |it, id| it.push(Reverse((id, [id; 3]))),
    |it| { it.pop(); });
queued!(SegQueueWalk(SegQueue<[u64; 4]>), |it, id| it.push([id; 4]), |it| {
    it.pop();
});

/// Boxes in a queue of fixed length.
pub(crate) struct BoundedQueue {
    queue: ArrayQueue<Box<[u64; 4]>>,
}

impl BoundedQueue {
    pub(crate) fn new(run: &Run, rng: &mut Rng) -> Self {
        Self { queue: ArrayQueue::new(run.part(0.1 + 0.8 * rng.f64()) as usize) }
    }
}

impl Played for BoundedQueue {
    fn serve(&mut self, now: &Now, _: &mut Rng) {
        self.queue.force_push(Box::new([now.request; 4]));
    }
}
