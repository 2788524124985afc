//! Healthy: pools that find their size.

use std::collections::VecDeque;

use crossbeam_queue::SegQueue;
use fastrand::Rng;
use slab::Slab;

use crate::crowd::{Ramp, Walk};
use crate::generator::{Now, Played, Run};

const BUFFER_BYTES: usize = 256;

/// Buffers that are handed out and come back.
#[derive(Default)]
struct Pool {
    idle: Vec<Box<[u8; BUFFER_BYTES]>>,
    lent: VecDeque<Box<[u8; BUFFER_BYTES]>>,
}

impl Pool {
    /// Two uses of a buffer, such that so many are lent.
    fn serve(&mut self, wanted: usize) {
        for _ in 0..2 {
            let buffer = self.idle.pop().unwrap_or_else(|| Box::new([0; BUFFER_BYTES]));
            self.lent.push_back(buffer);
        }
        while self.lent.len() > wanted {
            if let Some(buffer) = self.lent.pop_front() {
                self.idle.push(buffer);
            }
        }
    }
}

/// Lends ever more, until it does not.
pub(crate) struct Ramps {
    ramp: Ramp,
    pool: Pool,
}

impl Ramps {
    pub(crate) fn new(_: &Run, rng: &mut Rng) -> Self {
        Self { ramp: Ramp::new(rng), pool: Pool::default() }
    }
}

impl Played for Ramps {
    fn serve(&mut self, now: &Now, rng: &mut Rng) {
        self.pool.serve(self.ramp.wanted(now.share, rng));
    }
}

/// Lends as many as a walk wants.
pub(crate) struct Walks {
    walk: Walk,
    pool: Pool,
}

impl Walks {
    pub(crate) fn new(_: &Run, rng: &mut Rng) -> Self {
        Self { walk: Walk::new(rng), pool: Pool::default() }
    }
}

impl Played for Walks {
    fn serve(&mut self, now: &Now, rng: &mut Rng) {
        self.pool.serve(self.walk.wanted(now.request, rng));
    }
}

/// The same ramp, by a queue between threads.
pub(crate) struct Queued {
    ramp: Ramp,
    idle: SegQueue<Box<[u8; BUFFER_BYTES]>>,
    lent: VecDeque<Box<[u8; BUFFER_BYTES]>>,
}

impl Queued {
    pub(crate) fn new(_: &Run, rng: &mut Rng) -> Self {
        Self { ramp: Ramp::new(rng), idle: SegQueue::new(), lent: VecDeque::new() }
    }
}

impl Played for Queued {
    fn serve(&mut self, now: &Now, rng: &mut Rng) {
        let wanted = self.ramp.wanted(now.share, rng);
        let buffer = self.idle.pop().unwrap_or_else(|| Box::new([0; BUFFER_BYTES]));
        self.lent.push_back(buffer);
        while self.lent.len() > wanted {
            if let Some(buffer) = self.lent.pop_front() {
                self.idle.push(buffer);
            }
        }
    }
}

/// Connections in a slab, each with a buffer, as many as a ramp wants.
pub(crate) struct SlabOfBoxes {
    ramp: Ramp,
    slab: Slab<Box<[u8; BUFFER_BYTES]>>,
}

impl SlabOfBoxes {
    pub(crate) fn new(_: &Run, rng: &mut Rng) -> Self {
        Self { ramp: Ramp::new(rng), slab: Slab::new() }
    }
}

impl Played for SlabOfBoxes {
    fn serve(&mut self, now: &Now, rng: &mut Rng) {
        while self.slab.len() < self.ramp.wanted(now.share, rng) {
            self.slab.insert(Box::new([0; BUFFER_BYTES]));
        }
    }
}

/// The same, with the connections in the slab itself.
pub(crate) struct InlineRamps {
    ramp: Ramp,
    slab: Slab<[u64; 8]>,
}

impl InlineRamps {
    pub(crate) fn new(_: &Run, rng: &mut Rng) -> Self {
        Self { ramp: Ramp::new(rng), slab: Slab::new() }
    }
}

impl Played for InlineRamps {
    fn serve(&mut self, now: &Now, rng: &mut Rng) {
        while self.slab.len() < self.ramp.wanted(now.share, rng) {
            self.slab.insert([now.request; 8]);
        }
    }
}
