//! Shapes that no constant of the rule was chosen on: the figures in `docs/VERDICT.md` are theirs.
//!
//! Do not tune on these. If one fails, understand it on a new shape in [`super::tuning`].

use fastrand::Rng;

use super::shapes::{
    FOREVER, Grow, Shape, arrivals, container, exp, fifo, flushed, healthy, key_space, leak,
    random_evict, residue, stepped,
};
use heaptide_synthetic::{Block, Trace};

/// Two sites' worth of blocks at one.
fn with(mut one: Trace, other: Trace) -> Trace {
    one.blocks.extend(other.blocks);
    one
}

/// Lives of fixed length for some, short ones for the rest.
fn some_for(share: f64, long: f64, short: f64, rng: &mut Rng) -> f64 {
    if rng.f64() < share { long } else { exp(short, rng) }
}

pub(super) const UNTOUCHED: &[Shape] = &[
    healthy("steady api", |n, rng| arrivals(n, rng, |_| 220.0, |_, rng| exp(0.9, rng))),
    healthy("long polling", |n, rng| arrivals(n, rng, |_| 45.0, |_, rng| exp(1.8, rng))),
    healthy("lru of .17", |n, rng| fifo(n, rng, 65.0, 0.17)),
    healthy("lru of .42", |n, rng| fifo(n, rng, 35.0, 0.42)),
    healthy("random eviction .2", |n, rng| random_evict(n, rng, 60.0, 0.2)),
    healthy("interned names", |n, rng| key_space(n, rng, 1200.0, 0.12)),
    healthy("few interned names", |n, rng| key_space(n, rng, 60.0, 0.09)),
    healthy("batch of .19", |n, rng| flushed(n, rng, |_| 50.0, 0.19)),
    healthy("growing batch of .24", |n, rng| flushed(n, rng, move |t| 20.0 + 60.0 * t / n, 0.24)),
    healthy("morning traffic", |n, rng| {
        let load = move |t: f64| 15.0 + 185.0 / (1.0 + (-12.0 * (t / n - 0.5)).exp());
        arrivals(n, rng, load, |_, rng| exp(1.1, rng))
    }),
    healthy("three waves", |n, rng| {
        arrivals(n, rng, move |t| 90.0 + 70.0 * (18.8 * t / n).cos(), |_, rng| exp(0.9, rng))
    }),
    healthy("expiry after .16", |n, rng| arrivals(n, rng, |_| 75.0, move |_, _| 0.16 * n)),
    healthy("expiry after .11 in waves", |n, rng| {
        arrivals(n, rng, move |t| 60.0 + 40.0 * (8.0 * t / n).sin(), move |_, _| 0.11 * n)
    }),
    healthy("2 % live .22", |n, rng| {
        arrivals(n, rng, |_| 180.0, move |_, rng| some_for(0.02, 0.22 * n, 0.5, rng))
    }),
    healthy("a plug-in and a reload", |n, rng| stepped(n, rng, &[(0.35 * n, 220), (0.6 * n, 120)])),
    healthy("table of .25", |n, rng| {
        let cap = 0.25 * n;
        container(n, rng, move |t| 55.0 * t.min(cap), Grow::InPlace)
    }),
    healthy("scratch vector", |n, rng| {
        let span = 0.13 * n;
        container(n, rng, move |t| 120.0 * (t % span), Grow::Fresh)
    }),
    healthy("pages of .3", |n, rng| {
        let cap = 0.3 * n;
        container(n, rng, move |t| 80.0 * t.min(cap), Grow::Pages)
    }),
    leak("sockets", |n, rng| arrivals(n, rng, |_| 18.0, |_, _| FOREVER)),
    leak("3 % of 110", |n, rng| arrivals(n, rng, |_| 110.0, |_, rng| residue(0.03, 0.6, rng))),
    leak("0.15 % of 1500", |n, rng| {
        arrivals(n, rng, |_| 1500.0, |_, rng| residue(0.0015, 0.7, rng))
    }),
    leak("4 % on a morning", |n, rng| {
        let load = move |t: f64| 30.0 + 150.0 / (1.0 + (-10.0 * (t / n - 0.4)).exp());
        arrivals(n, rng, load, |_, rng| residue(0.04, 0.7, rng))
    }),
    leak("3 % in three waves", |n, rng| {
        let load = move |t: f64| 150.0 + 90.0 * (18.8 * t / n).cos();
        arrivals(n, rng, load, |_, rng| residue(0.03, 0.9, rng))
    }),
    leak("8 % miss their expiry", |n, rng| {
        let life = move |_, rng: &mut Rng| if rng.f64() < 0.08 { FOREVER } else { 0.13 * n };
        arrivals(n, rng, |_| 60.0, life)
    }),
    leak("12 % from .35", |n, rng| {
        arrivals(
            n,
            rng,
            |_| 80.0,
            move |t, rng| residue(if t > 0.35 * n { 0.12 } else { 0.0 }, 0.5, rng),
        )
    }),
    leak("25 % beside an lru", |n, rng| {
        with(fifo(n, rng, 45.0, 0.15), arrivals(n, rng, |_| 15.0, |_, _| FOREVER))
    }),
    leak("5 beside a batch", |n, rng| {
        with(flushed(n, rng, |_| 40.0, 0.16), arrivals(n, rng, |_| 5.0, |_, _| FOREVER))
    }),
    leak("each 2nd epoch, 20 %", |n, rng| {
        arrivals(
            n,
            rng,
            |_| 60.0,
            |t, rng| residue(if t as u64 % 2 == 1 { 0.2 } else { 0.0 }, 0.6, rng),
        )
    }),
    leak("slowing by a third", |n, rng| {
        let grown = arrivals(n, rng, move |t| 15.0 - 5.0 * t / n, |_, _| FOREVER);
        with(arrivals(n, rng, |_| 70.0, |_, rng| exp(0.4, rng)), grown)
    }),
    leak("7 on a large start", |n, rng| {
        let mut trace = arrivals(n, rng, |_| 7.0, |_, _| FOREVER);
        trace.blocks.extend((0..3000).map(|_| Block::new(3.0 * rng.f64(), FOREVER, 64)));
        trace
    }),
    leak("event log", |n, rng| container(n, rng, |t| 33.0 * t, Grow::InPlace)),
    leak("index by id", |n, rng| container(n, rng, |t| 70.0 * t, Grow::Fresh)),
    leak("slab of tasks", |n, rng| container(n, rng, |t| 110.0 * t, Grow::Pages)),
];
