//! Shapes of growth outside the recorded heap, each with what is known of it.

use super::made_up::{KIB, Load, MIB, MadeUp, Of, normal};

/// What is known of a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    /// These parts (or the count of threads) grow without end.
    Leaks(&'static [&'static str]),
    /// Nothing does.
    Healthy,
    /// By the end of the run nobody can tell.
    Open,
}

/// One shape: a quiet process to which it is added.
pub(super) struct Shape {
    pub(super) name: &'static str,
    pub(super) label: Label,
    pub(super) load: Load,
    pub(super) add: fn(&mut MadeUp),
}

const C: Label = Label::Leaks(&["other_malloc"]);
const THREADS: Label = Label::Leaks(&["threads"]);

/// All of them.
pub(super) const SHAPES: &[Shape] = &[
    Shape { name: "leak in C", label: C, load: Load::Even, add: leak },
    Shape { name: "leak in C, waves of load", label: C, load: Load::Waves, add: leak },
    Shape { name: "leak in C, rising load", label: C, load: Load::Ramp, add: leak },
    Shape { name: "leak in C, bursts of load", label: C, load: Load::Bursts, add: leak },
    Shape { name: "leak in C from .3 to .45 on", label: C, load: Load::Even, add: late_leak },
    Shape { name: "leak in C beside a saw tooth", label: C, load: Load::Even, add: leak_and_saw },
    Shape {
        name: "maps that are kept",
        label: Label::Leaks(&["anonymous"]),
        load: Load::Even,
        add: |made| {
            let bytes = growth(made);
            made.add(Of::Anonymous, |made, k| bytes * made.done[k]);
        },
    },
    Shape { name: "parked threads", label: THREADS, load: Load::Even, add: parked_threads },
    Shape {
        name: "fragmentation without end",
        label: Label::Leaks(&["allocator_free"]),
        load: Load::Even,
        add: |made| {
            let bytes = growth(made).max(12.0 * MIB);
            made.add(Of::AllocatorFree, |made, k| bytes * made.done[k]);
        },
    },
    Shape { name: "quiet", label: Label::Healthy, load: Load::Even, add: |_| {} },
    Shape {
        name: "cache in C, full by .45",
        label: Label::Healthy,
        load: Load::Even,
        add: |made| cache(made, 0.1, 0.45),
    },
    Shape {
        name: "cache in C, full at .45 to .6",
        label: Label::Healthy,
        load: Load::Even,
        add: |made| cache(made, 0.45, 0.6),
    },
    Shape { name: "spike that is kept free", label: Label::Healthy, load: Load::Even, add: spike },
    Shape {
        name: "saw tooth in C",
        label: Label::Healthy,
        load: Load::Even,
        add: |made| saw(made, Of::OtherMalloc),
    },
    Shape {
        name: "saw tooth of maps",
        label: Label::Healthy,
        load: Load::Even,
        add: |made| saw(made, Of::Anonymous),
    },
    Shape { name: "waves of load", label: Label::Healthy, load: Load::Waves, add: with_load },
    Shape { name: "mapped file that is read", label: Label::Healthy, load: Load::Even, add: file },
    Shape { name: "thread pool", label: Label::Healthy, load: Load::Even, add: thread_pool },
    Shape {
        name: "arenas",
        label: Label::Healthy,
        load: Load::Even,
        add: |made| steps(made, Of::AllocatorFree, 2..11, 2.0 * MIB),
    },
    Shape {
        name: "tables that were made large enough",
        label: Label::Healthy,
        load: Load::Even,
        add: |made| steps(made, Of::Anonymous, 1..4, 30.0 * MIB),
    },
    Shape { name: "untouched capacity", label: Label::Healthy, load: Load::Even, add: untouched },
    Shape { name: "bursts of blocks", label: Label::Healthy, load: Load::Bursts, add: bursts },
    Shape { name: "random walk in C", label: Label::Healthy, load: Load::Even, add: walk },
    Shape {
        name: "cache in C, full at .6 to .95",
        label: Label::Open,
        load: Load::Even,
        add: |made| cache(made, 0.6, 0.95),
    },
    Shape { name: "names interned in C", label: Label::Open, load: Load::Even, add: interned },
    Shape { name: "rising load", label: Label::Open, load: Load::Ramp, add: with_load },
    Shape { name: "buffer in C that doubles", label: Label::Open, load: Load::Even, add: doubling },
];

/// What piles up over the run; never so little that the floor hides it.
fn growth(made: &mut MadeUp) -> f64 {
    let largest = [4.0, 8.0, 40.0, 150.0][made.rng.usize(0..4)];
    largest * made.between(0.8, 1.2) * MIB
}

fn leak(made: &mut MadeUp) {
    let bytes = growth(made);
    made.add(Of::OtherMalloc, |made, k| bytes * made.done[k]);
}

fn late_leak(made: &mut MadeUp) {
    let (bytes, from) = (growth(made), made.between(0.3, 0.45));
    made.add(Of::OtherMalloc, |made, k| bytes * (made.done[k] - from).max(0.0) / (1.0 - from));
}

fn leak_and_saw(made: &mut MadeUp) {
    let bytes = growth(made);
    let (period, height) = (made.between(3.0, 11.0), bytes * made.between(0.05, 0.4));
    let phase = made.rng.f64();
    made.add(Of::OtherMalloc, |made, k| {
        bytes * made.done[k] + height * (k as f64 / period + phase).fract()
    });
}

/// Each thread keeps its stack, and some blocks in its cache.
fn threads(made: &mut MadeUp, n_threads: f64, share_at: impl Fn(&MadeUp, usize) -> f64) {
    let (stack, cached) = (made.between(8.0, 24.0) * KIB, made.between(2.0, 60.0) * KIB);
    for k in 0..made.len() {
        let n = (n_threads * share_at(made, k)).floor();
        made[Of::Threads][k] += n;
        made[Of::ThreadStacks][k] += n * stack;
        made[Of::OtherMalloc][k] += n * cached;
    }
}

fn parked_threads(made: &mut MadeUp) {
    let n_threads = made.between(16.0, 80.0);
    threads(made, n_threads, |made, k| made.done[k]);
}

fn thread_pool(made: &mut MadeUp) {
    let (n_threads, full) = (made.between(8.0, 60.0), made.between(0.2, 0.6));
    threads(made, n_threads, |made, k| (made.done[k] / full).min(1.0));
}

fn cache(made: &mut MadeUp, earliest: f64, latest: f64) {
    let (bytes, full) = (growth(made), made.between(earliest, latest));
    made.add(Of::OtherMalloc, |made, k| bytes * (made.done[k] / full).min(1.0));
}

fn spike(made: &mut MadeUp) {
    let (begins, lasts) = (made.rng.usize(5..41), made.rng.usize(1..7));
    let (bytes, kept) = (made.between(10.0, 200.0) * MIB, made.between(0.97, 1.0));
    made.add(
        Of::OtherMalloc,
        |_, k| {
            if (begins..begins + lasts).contains(&k) { bytes } else { 0.0 }
        },
    );
    made.add(Of::AllocatorFree, |_, k| if k >= begins + lasts { kept * bytes } else { 0.0 });
}

fn saw(made: &mut MadeUp, of: Of) {
    let (bytes, period, phase) = (growth(made), made.between(3.0, 20.0), made.rng.f64());
    made.add(of, |_, k| bytes * (k as f64 / period + phase).fract());
}

fn with_load(made: &mut MadeUp) {
    let bytes = growth(made);
    made.add(Of::OtherMalloc, |made, k| bytes * made.load[k]);
}

fn file(made: &mut MadeUp) {
    let bytes = growth(made);
    made.add(Of::Files, |made, k| bytes * made.done[k]);
}

fn steps(made: &mut MadeUp, of: Of, n_steps: std::ops::Range<usize>, most_bytes: f64) {
    for _ in 0..made.rng.usize(n_steps) {
        let (at, bytes) = (made.rng.usize(0..made.len()), most_bytes * made.rng.f64());
        made.add(of, |_, k| if k >= at { bytes } else { 0.0 });
    }
}

fn untouched(made: &mut MadeUp) {
    let bytes = growth(made);
    made.add(Of::AllocatorFree, |_, _| bytes);
    made.add(Of::NotResident, |_, _| bytes);
}

/// What came and went stays with the allocator for some time.
fn bursts(made: &mut MadeUp) {
    let (bytes, decay) = (growth(made), made.between(0.3, 0.9));
    let mut kept = 0.0_f64;
    for k in 0..made.len() {
        kept = (kept * decay).max(bytes * made.load[k]);
        made[Of::AllocatorFree][k] += kept;
    }
}

fn walk(made: &mut MadeUp) {
    let stride = made.between(0.1, 2.0) * MIB;
    let mut held = 0.0;
    let mut walk: Vec<f64> = Vec::new();
    for _ in 0..made.len() {
        held += stride * normal(&mut made.rng);
        walk.push(held);
    }
    let least = walk.iter().copied().fold(f64::MAX, f64::min);
    made.add(Of::OtherMalloc, |_, k| walk[k] - least);
}

fn interned(made: &mut MadeUp) {
    let (bytes, curve) = (growth(made), made.between(3.0, 30.0));
    made.add(Of::OtherMalloc, |made, k| bytes * (curve * made.done[k]).ln_1p() / curve.ln_1p());
}

fn doubling(made: &mut MadeUp) {
    let bytes = growth(made);
    made.add(Of::Anonymous, |made, k| bytes * made.done[k].max(1.0 / 64.0).log2().ceil().exp2());
}
