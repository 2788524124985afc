//! What sites do: the labelled shapes that the rule's constants were chosen on. The hardest are
//! here: what was learnt from a failure belongs into this set.

use fastrand::Rng;

use super::shapes::*;
use heaptide_synthetic::{Block, Trace};

/// The shapes that the rule's constants were chosen on.
pub(super) const TUNING: &[Shape] = &[
    healthy("constant, idle after 30", |_, rng| {
        let mut trace = arrivals(30.0, rng, |_| 40.0, |_, rng| exp(0.3, rng));
        trace.blocks.extend((0..200).map(|_| Block::new(0.1, FOREVER, BYTES)));
        trace
    }),
    healthy("requests", |n, rng| arrivals(n, rng, |_| 300.0, |_, rng| exp(0.3, rng))),
    healthy("slow requests", |n, rng| arrivals(n, rng, |_| 100.0, |_, rng| exp(3.0, rng))),
    healthy("warm-up", |n, rng| {
        let mut trace = arrivals(n, rng, |_| 20.0, |_, rng| exp(0.3, rng));
        trace.blocks.extend((0..500).map(|_| Block::new(5.0 * rng.f64(), FOREVER, BYTES)));
        trace
    }),
    healthy("fifo cache .35", |n, rng| fifo(n, rng, 40.0, 0.35)),
    healthy("fifo cache .1", |n, rng| fifo(n, rng, 40.0, 0.1)),
    healthy("random-evict cache", |n, rng| random_evict(n, rng, 40.0, 0.3)),
    healthy("key space .08", |n, rng| key_space(n, rng, 2000.0, 0.08)),
    healthy("key space .15", |n, rng| key_space(n, rng, 2000.0, 0.15)),
    healthy("flush .175", |n, rng| flushed(n, rng, |_| 40.0, 0.175)),
    healthy("flush .31", |n, rng| flushed(n, rng, |_| 40.0, 0.31)),
    healthy("pool", pool),
    healthy("ramp", |n, rng| {
        arrivals(n, rng, move |t| 50.0 + 350.0 * t / n, |_, rng| exp(0.5, rng))
    }),
    healthy("slow ramp", |n, rng| {
        arrivals(n, rng, move |t| 20.0 + 130.0 * t / n, |_, rng| exp(1.5, rng))
    }),
    healthy("half sine", |n, rng| {
        let load = move |t: f64| 200.0 + 150.0 * (std::f64::consts::PI * t / n).sin();
        arrivals(n, rng, load, |_, rng| exp(1.0, rng))
    }),
    healthy("load step", |n, rng| {
        let load = move |t| if t < n / 2.0 { 80.0 } else { 300.0 };
        arrivals(n, rng, load, |_, rng| exp(0.8, rng))
    }),
    healthy("one step", |n, rng| {
        let at = n * (0.4 + 0.3 * rng.f64());
        stepped(n, rng, &[(at, 400)])
    }),
    healthy("three steps", |n, rng| {
        stepped(n, rng, &[(0.3 * n, 150), (0.5 * n, 150), (0.75 * n, 150)])
    }),
    healthy("ttl .2", |n, rng| arrivals(n, rng, |_| 60.0, move |_, _| 0.2 * n)),
    healthy("ttl .15 ramp", |n, rng| {
        arrivals(n, rng, move |t| 20.0 + 100.0 * t / n, move |_, _| 0.15 * n)
    }),
    healthy("queue", random_queue),
    healthy("backlog", |n, rng| {
        // Blocks wait until a slow consumer, blocked in the middle of the run, gets to them.
        let wait = move |t: f64, rng: &mut Rng| {
            let blocked = (0.4 * n..0.6 * n).contains(&t);
            if blocked { 0.65 * n - t + exp(0.5, rng) } else { exp(0.5, rng) }
        };
        arrivals(n, rng, |_| 60.0, wait)
    }),
    healthy("labels", |n, rng| {
        let mut trace = arrivals(n, rng, |_| 50.0, |_, rng| exp(0.2, rng));
        let births = (0..12).map(|_| 0.7 * n * rng.f64()).collect::<Vec<_>>();
        trace.blocks.extend(births.into_iter().map(|t| Block::new(t, FOREVER, BYTES)));
        trace
    }),
    healthy("two generations", |n, rng| {
        let span = 0.12 * n;
        arrivals(n, rng, |_| 50.0, move |t, _| (t / span).floor() * span + 2.0 * span - t)
    }),
    healthy("wandering load", wandering),
    healthy("freed in batches", |n, rng| {
        arrivals(n, rng, |_| 80.0, |t, _| (t / 3.0).ceil() * 3.0 - t + 0.01)
    }),
    healthy("doubles to cap", |n, rng| {
        let cap = 0.3 * n;
        container(n, rng, move |t| t.min(cap) * 100.0, Grow::Fresh)
    }),
    healthy("ring buffer", |n, rng| container(n, rng, |_| 5000.0, Grow::InPlace)),
    healthy("reused strings", reused_strings),
    healthy("shrink to fit", |n, rng| {
        let span = 0.15 * n;
        container(n, rng, move |t| (t % span) * 400.0, Grow::Fresh)
    }),
    leak("sessions", |n, rng| arrivals(n, rng, |_| 40.0, |_, _| FOREVER)),
    leak("1 %", |n, rng| arrivals(n, rng, |_| 300.0, |_, rng| residue(0.01, 0.3, rng))),
    leak("0.08 % of 2000", |n, rng| {
        arrivals(n, rng, |_| 2000.0, |_, rng| residue(0.0008, 1.0, rng))
    }),
    leak("residue of a sawtooth", |n, rng| {
        let span = 0.175 * n;
        arrivals(
            n,
            rng,
            |_| 40.0,
            move |t, rng| {
                if rng.f64() < 0.05 { FOREVER } else { (t / span).ceil() * span - t }
            },
        )
    }),
    leak("2 % under ramp", |n, rng| {
        arrivals(n, rng, move |t| 50.0 + 350.0 * t / n, |_, rng| residue(0.02, 0.5, rng))
    }),
    leak("3 % under falling load", |n, rng| {
        arrivals(n, rng, move |t| 400.0 - 340.0 * t / n, |_, rng| residue(0.03, 0.5, rng))
    }),
    leak("2 % under sine", |n, rng| {
        let load = move |t: f64| 200.0 + 150.0 * (6.3 * t / n).sin();
        arrivals(n, rng, load, |_, rng| residue(0.02, 1.0, rng))
    }),
    leak("10 % from .4", |n, rng| {
        arrivals(
            n,
            rng,
            |_| 100.0,
            move |t, rng| residue(if t > 0.4 * n { 0.1 } else { 0.0 }, 0.5, rng),
        )
    }),
    leak("each 4th epoch", |n, rng| {
        arrivals(
            n,
            rng,
            |_| 40.0,
            |t, rng| residue(if (t as u64).is_multiple_of(4) { 0.25 } else { 0.0 }, 0.5, rng),
        )
    }),
    leak("abandoned sessions", |n, rng| {
        arrivals(n, rng, |_| 50.0, |_, rng| residue(0.2, 2.0, rng))
    }),
    leak("accelerating", |n, rng| {
        let mut trace = arrivals(n, rng, |_| 50.0, |_, rng| exp(0.3, rng));
        let grown = arrivals(n, rng, move |t| 2.0 + 118.0 * (t / n).powi(2), |_, _| FOREVER);
        trace.blocks.extend(grown.blocks);
        trace
    }),
    leak("15 % on a full cache", |n, rng| {
        let mut trace = fifo(n, rng, 40.0, 0.2);
        let lost = |block: &mut Block| {
            if rng.f64() < 0.15 {
                block.death = FOREVER;
            }
        };
        trace.blocks.iter_mut().for_each(lost);
        trace
    }),
    leak("6 on random evict", |n, rng| {
        let mut trace = random_evict(n, rng, 40.0, 0.3);
        trace.blocks.extend(arrivals(n, rng, |_| 6.0, |_, _| FOREVER).blocks);
        trace
    }),
    leak("0.6 % of 200", |n, rng| arrivals(n, rng, |_| 200.0, |_, rng| residue(0.006, 0.5, rng))),
    leak("8 after warm-up", |n, rng| {
        let mut trace = arrivals(n, rng, |_| 8.0, |_, _| FOREVER);
        trace.blocks.extend((0..800).map(|_| Block::new(4.0 * rng.f64(), FOREVER, BYTES)));
        trace
    }),
    leak("3 % under slow requests", |n, rng| {
        arrivals(n, rng, |_| 60.0, |_, rng| residue(0.03, 2.5, rng))
    }),
    leak("vector for ever", |n, rng| container(n, rng, |t| 40.0 * t, Grow::InPlace)),
    leak("map of inline values", |n, rng| container(n, rng, |t| 40.0 * t, Grow::Fresh)),
    leak("eight shards", |n, rng| {
        let mut trace = Trace::default();
        for _ in 0..8 {
            let pace = 36.0 + 8.0 * rng.f64();
            let shard = container(n, rng, move |t| pace * t, Grow::Fresh);
            trace.blocks.extend(shard.blocks);
            trace.work = shard.work;
        }
        trace
    }),
    leak("slab pages", |n, rng| container(n, rng, |t| 60.0 * t, Grow::Pages)),
    healthy("busy requests", |n, rng| arrivals(n, rng, |_| 150.0, |_, rng| exp(0.7, rng))),
    healthy("long requests", |n, rng| arrivals(n, rng, |_| 70.0, |_, rng| exp(2.0, rng))),
    healthy("fifo cache .2", |n, rng| fifo(n, rng, 55.0, 0.2)),
    healthy("fifo cache .28", |n, rng| fifo(n, rng, 25.0, 0.28)),
    healthy("random-evict .15", |n, rng| random_evict(n, rng, 50.0, 0.15)),
    healthy("key space .1", |n, rng| key_space(n, rng, 900.0, 0.1)),
    healthy("flush .22", |n, rng| flushed(n, rng, |_| 35.0, 0.22)),
    healthy("flush .27 under sine", |n, rng| {
        flushed(n, rng, move |t| 60.0 + 40.0 * (9.0 * t / n).sin(), 0.27)
    }),
    healthy("steep ramp", |n, rng| {
        arrivals(n, rng, move |t| 10.0 + 290.0 * (t / n).powi(2), |_, rng| exp(1.0, rng))
    }),
    healthy("two waves", |n, rng| {
        arrivals(n, rng, move |t| 120.0 + 90.0 * (12.6 * t / n).sin(), |_, rng| exp(1.2, rng))
    }),
    healthy("ttl .12", |n, rng| arrivals(n, rng, |_| 45.0, move |_, _| 0.12 * n)),
    healthy("ttl .22 falling", |n, rng| {
        arrivals(n, rng, move |t| 110.0 - 80.0 * t / n, move |_, _| 0.22 * n)
    }),
    healthy("5 % live .25", |n, rng| {
        arrivals(n, rng, |_| 90.0, move |_, rng| two_lives(0.05, 0.25 * n, 0.4, rng))
    }),
    healthy("two reloads", |n, rng| stepped(n, rng, &[(0.45 * n, 300), (0.7 * n, 90)])),
    healthy("settled table", |n, rng| {
        let cap = 0.2 * n;
        container(n, rng, move |t| 65.0 * t.min(cap), Grow::Fresh)
    }),
    healthy("scratch buffer", |n, rng| {
        let span = 0.11 * n;
        container(n, rng, move |t| 90.0 * (t % span), Grow::Fresh)
    }),
    leak("connections", |n, rng| arrivals(n, rng, |_| 12.0, |_, _| FOREVER)),
    leak("2 % of 150", |n, rng| arrivals(n, rng, |_| 150.0, |_, rng| residue(0.02, 0.8, rng))),
    leak("0.2 % of 900", |n, rng| arrivals(n, rng, |_| 900.0, |_, rng| residue(0.002, 0.6, rng))),
    leak("5 % under steep ramp", |n, rng| {
        arrivals(n, rng, move |t| 20.0 + 200.0 * t / n, |_, rng| residue(0.05, 0.8, rng))
    }),
    leak("4 % under two waves", |n, rng| {
        let load = move |t: f64| 120.0 + 90.0 * (12.6 * t / n).sin();
        arrivals(n, rng, load, |_, rng| residue(0.04, 1.2, rng))
    }),
    leak("10 % beside a ttl", |n, rng| {
        arrivals(n, rng, |_| 40.0, move |_, rng| if rng.f64() < 0.1 { FOREVER } else { 0.1 * n })
    }),
    leak("8 % from .3", |n, rng| {
        arrivals(
            n,
            rng,
            |_| 120.0,
            move |t, rng| residue(if t > 0.3 * n { 0.08 } else { 0.0 }, 0.4, rng),
        )
    }),
    leak("20 % on a fifo cache", |n, rng| {
        let mut trace = fifo(n, rng, 50.0, 0.12);
        let lost = |block: &mut Block| {
            if rng.f64() < 0.2 {
                block.death = FOREVER;
            }
        };
        trace.blocks.iter_mut().for_each(lost);
        trace
    }),
    leak("waiters of flushed queue", |n, rng| {
        let mut trace = flushed(n, rng, |_| 30.0, 0.14);
        trace.blocks.extend(arrivals(n, rng, |_| 3.0, |_, _| FOREVER).blocks);
        trace
    }),
    leak("each 2nd epoch", |n, rng| {
        arrivals(
            n,
            rng,
            |_| 50.0,
            |t, rng| residue(if (t as u64).is_multiple_of(2) { 0.15 } else { 0.0 }, 0.5, rng),
        )
    }),
    leak("slowly accelerating", |n, rng| {
        let mut trace = arrivals(n, rng, |_| 40.0, |_, rng| exp(0.5, rng));
        trace.blocks.extend(arrivals(n, rng, move |t| 4.0 + 8.0 * t / n, |_, _| FOREVER).blocks);
        trace
    }),
    leak("vector of events", |n, rng| container(n, rng, |t| 25.0 * t, Grow::InPlace)),
    leak("table of ids", |n, rng| container(n, rng, |t| 90.0 * t, Grow::Fresh)),
    healthy("fifo cache .5", |n, rng| fifo(n, rng, 40.0, 0.5)),
    healthy("fifo cache .65", |n, rng| fifo(n, rng, 30.0, 0.65)),
    healthy("fifo cache .8", |n, rng| fifo(n, rng, 40.0, 0.8)),
    healthy("key space .22", |n, rng| key_space(n, rng, 1500.0, 0.22)),
    healthy("residence .2 ramp", |n, rng| {
        arrivals(n, rng, move |t| 30.0 + 200.0 * t / n, move |_, rng| exp(0.2 * n, rng))
    }),
    healthy("doubles to .45", |n, rng| {
        let cap = 0.45 * n;
        container(n, rng, move |t| t.min(cap) * 70.0, Grow::InPlace)
    }),
];
