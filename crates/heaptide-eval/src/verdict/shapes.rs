//! What shapes are made of: arrivals, caches, batches, containers.
//!
//! A shape is a function from the length of the run (in snapshots) and a random generator to a
//! [`Trace`]. Sizes and times are given in parts of the run, so that a shape means the same at any
//! length.

use fastrand::Rng;

use heaptide_synthetic::{Block, Trace};

/// A shape and what it is.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) name: &'static str,
    pub(super) label: Label,
    pub(super) make: fn(f64, &mut Rng) -> Trace,
}

/// What a shape is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    Healthy,
    Leak,
}

pub(super) const fn healthy(name: &'static str, make: fn(f64, &mut Rng) -> Trace) -> Shape {
    Shape { name, label: Label::Healthy, make }
}

pub(super) const fn leak(name: &'static str, make: fn(f64, &mut Rng) -> Trace) -> Shape {
    Shape { name, label: Label::Leak, make }
}

/// Never freed.
pub(super) const FOREVER: f64 = f64::INFINITY;
/// The size of every block whose size is of no interest.
pub(super) const BYTES: u64 = 96;

pub(super) fn exp(mean: f64, rng: &mut Rng) -> f64 {
    -mean * (1.0 - rng.f64()).ln()
}

/// The share of blocks that live long, and how long, as a part of the run.
pub(super) fn two_lives(share: f64, long: f64, short: f64, rng: &mut Rng) -> f64 {
    if rng.f64() < share { long } else { exp(short, rng) }
}

pub(super) fn residue(share: f64, mean: f64, rng: &mut Rng) -> f64 {
    if rng.f64() < share { FOREVER } else { exp(mean, rng) }
}

/// Knuth's method, in pieces that cannot underflow.
pub(super) fn poisson(mean: f64, rng: &mut Rng) -> usize {
    let (mut left, mut count) = (mean, 0);
    while left > 0.0 {
        let piece = left.min(30.0);
        let (least, mut product) = ((-piece).exp(), rng.f64());
        while product > least {
            count += 1;
            product *= rng.f64();
        }
        left -= piece;
    }
    count
}

/// A block and a unit of work at each arrival.
pub(super) fn arrivals(
    n: f64,
    rng: &mut Rng,
    load: impl Fn(f64) -> f64,
    life: impl Fn(f64, &mut Rng) -> f64,
) -> Trace {
    let mut trace = Trace::default();
    for epoch in 0..n as usize {
        for _ in 0..poisson(load(epoch as f64 + 0.5), rng) {
            let time = epoch as f64 + rng.f64();
            let life = life(time, rng);
            trace.blocks.push(Block::new(time, life, BYTES));
            trace.work.push(time);
        }
    }
    trace.blocks.sort_by(|a, b| a.birth.total_cmp(&b.birth));
    trace
}

/// A cache that holds `share` of all arrivals and evicts the oldest.
pub(super) fn fifo(n: f64, rng: &mut Rng, load: f64, share: f64) -> Trace {
    let mut trace = arrivals(n, rng, |_| load, |_, _| FOREVER);
    let capacity = ((share * load * n) as usize).max(1);
    for index in capacity..trace.blocks.len() {
        trace.blocks[index - capacity].death = trace.blocks[index].birth;
    }
    trace
}

pub(super) fn random_evict(n: f64, rng: &mut Rng, load: f64, share: f64) -> Trace {
    let mut trace = arrivals(n, rng, |_| load, |_, _| FOREVER);
    let capacity = ((share * load * n) as usize).max(1);
    let mut held: Vec<usize> = Vec::new();
    for index in 0..trace.blocks.len() {
        if held.len() == capacity {
            let victim = held.swap_remove(rng.usize(..capacity));
            trace.blocks[victim].death = trace.blocks[index].birth;
        }
        held.push(index);
    }
    trace
}

/// Each of `keys` is interned once; new ones get rare with time constant `tau` of the run.
pub(super) fn key_space(n: f64, rng: &mut Rng, keys: f64, tau: f64) -> Trace {
    let mut trace = arrivals(n, rng, |_| 50.0, |_, rng| exp(0.2, rng));
    for _ in 0..keys as usize {
        let first = exp(tau * n, rng);
        if first < n {
            trace.blocks.push(Block::new(first, FOREVER, BYTES));
        }
    }
    trace
}

/// Everything is freed at each multiple of `share` of the run.
pub(super) fn flushed(n: f64, rng: &mut Rng, load: impl Fn(f64) -> f64, share: f64) -> Trace {
    let span = share * n;
    arrivals(n, rng, load, move |t, _| (t / span).ceil() * span - t)
}

/// A pool keeps as many as were ever in use at once.
pub(super) fn pool(n: f64, rng: &mut Rng) -> Trace {
    let mut trace = arrivals(n, rng, |_| 50.0, |_, rng| exp(0.2, rng));
    let mut most = 0.0;
    for epoch in 0..n as usize {
        let normal = (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0;
        while most < 100.0 + 15.0 * normal {
            most += 1.0;
            trace.blocks.push(Block::new(epoch as f64 + rng.f64(), FOREVER, BYTES));
        }
    }
    trace
}

pub(super) fn stepped(n: f64, rng: &mut Rng, steps: &[(f64, usize)]) -> Trace {
    let mut trace = arrivals(n, rng, |_| 50.0, |_, rng| exp(0.3, rng));
    for &(at, count) in steps {
        trace.blocks.extend((0..count).map(|_| Block::new(at + 0.3 * rng.f64(), FOREVER, BYTES)));
    }
    trace
}

/// A first-in-first-out queue whose length wanders.
pub(super) fn random_queue(n: f64, rng: &mut Rng) -> Trace {
    let mut trace = arrivals(n, rng, |_| 60.0, |_, _| FOREVER);
    let mut next = 0;
    for epoch in 0..n as usize {
        for _ in 0..poisson(60.0, rng) {
            let time = epoch as f64 + rng.f64();
            if let Some(block) = trace.blocks.get_mut(next).filter(|block| block.birth < time) {
                block.death = time;
                next += 1;
            }
        }
    }
    trace
}

pub(super) fn wandering(n: f64, rng: &mut Rng) -> Trace {
    let mut level = 0.0;
    let loads: Vec<f64> = (0..n as usize)
        .map(|_| {
            level = 0.95 * level + 40.0 * (rng.f64() - 0.5);
            (150.0_f64 + level).max(5.0)
        })
        .collect();
    arrivals(n, rng, |t| loads[t as usize], |_, rng| exp(1.0, rng))
}

/// How a container makes room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grow {
    /// `realloc`.
    InPlace,
    /// A larger block, then the old one is freed.
    Fresh,
    /// A larger block beside the old ones.
    Pages,
}

/// A container whose capacity is the next power of two above `items`, and shrinks with it.
pub(super) fn container(n: f64, rng: &mut Rng, items: impl Fn(f64) -> f64, grow: Grow) -> Trace {
    let mut trace = arrivals(n, rng, |_| 40.0, |_, rng| exp(0.2, rng));
    trace.blocks.clear();
    let mut capacity = 0;
    for tick in 1..=(n * 64.0) as usize {
        let time = tick as f64 / 64.0;
        let items = items(time).max(0.0) as u64;
        let shrunk = items * 4 < capacity && grow == Grow::Fresh;
        if items <= capacity && !shrunk {
            continue;
        }
        let before = capacity;
        capacity = items.next_power_of_two().max(4);
        match (grow, trace.blocks.last_mut()) {
            (Grow::InPlace, Some(block)) => block.resized.push((time, 48 * capacity)),
            (Grow::Fresh, Some(block)) => {
                block.death = time;
                trace.blocks.push(Block::new(time, FOREVER, 48 * capacity));
            }
            (Grow::Pages, Some(_)) => {
                trace.blocks.push(Block::new(time, FOREVER, 48 * (capacity - before)));
            }
            (_, None) => trace.blocks.push(Block::new(time, FOREVER, 48 * capacity)),
        }
    }
    trace
}

/// One buffer at a time, of random size.
pub(super) fn reused_strings(n: f64, rng: &mut Rng) -> Trace {
    let mut trace = arrivals(n, rng, |_| 40.0, |_, rng| exp(0.02, rng));
    for block in &mut trace.blocks {
        block.bytes = (2000.0 * exp(1.0, rng).powi(2)) as u64 + 1;
    }
    trace
}
