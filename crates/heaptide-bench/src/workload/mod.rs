//! The work itself. Nothing here knows under which allocator it runs.
//!
//! Each workload is a closure that does so many operations and keeps what stays alive between two
//! calls. Functions are kept out of line where the shape of the stack is the point.

pub(crate) mod deep;
pub(crate) mod documents;
pub(crate) mod maps;
pub(crate) mod micro;
pub(crate) mod service;
pub(crate) mod sites;
pub(crate) mod snapshots;
pub(crate) mod soak;
pub(crate) mod threads;

use std::hint::black_box;
use std::time::Duration;

use crate::measure::{Clocks, Length, Measured};

/// So many batches have a say; more would be more than a second of the quickest.
const MOST_BATCHES: usize = 1 << 14;

/// Work that is measured by the operation.
pub(crate) struct Allocating {
    /// Operations until it is as it will stay.
    warm_up: u64,
    /// Operations between two looks at the clock.
    batch: u64,
    work: Box<dyn FnMut(u64)>,
}

impl Allocating {
    fn new(warm_up: u64, batch: u64, work: impl FnMut(u64) + 'static) -> Self {
        Self { warm_up, batch, work: Box::new(work) }
    }

    /// Warms up, unless the number of operations is given, and measures.
    pub(crate) fn measure(mut self, length: Length) -> Measured {
        let warm_up = if let Length::For(_) = length { self.warm_up } else { 0 };
        let mut per_op = Vec::with_capacity(MOST_BATCHES);
        let (mut clocks, mut ops, mut before) = (Clocks::start(), 0, Duration::ZERO);
        // Both from one place, in a loop of which the compiler cannot take the first round out: a call from
        // another place makes every call stack a new one, and what is measured is how they are learnt.
        let (mut batches, mut next, mut is_warm) =
            (length.batches(self.batch), Some(warm_up), false);
        while let Some(batch) = black_box(next) {
            (self.work)(batch);
            next = batches.next();
            if !black_box(is_warm) {
                (clocks, is_warm) = (Clocks::start(), true);
                before = clocks.cpu();
                continue;
            }
            let now = clocks.cpu();
            if per_op.len() < MOST_BATCHES {
                per_op.push((now - before).as_nanos() as f64 / batch as f64);
            }
            (before, ops) = (now, ops + batch);
        }
        let measured = Measured { total_ops: warm_up + ops, ..clocks.stop(ops) };
        per_op.sort_by(f64::total_cmp);
        let median = per_op.get(per_op.len() / 2);
        Measured { cpu_ns_per_op: median.copied().unwrap_or(measured.cpu_ns_per_op), ..measured }
    }
}

/// Marsaglia's xorshift64 (2003, triple 13, 7, 17): no allocation, the same numbers everywhere.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    /// `seed` must not be 0.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}
