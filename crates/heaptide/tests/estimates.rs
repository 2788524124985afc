//! Sampled mode: estimates that are right on average, and that say how far off they may be.

mod rig;

use std::process::ExitCode;
use std::thread;

use heaptide::{Heaptide, Mode, Recorder};
use heaptide_format::{HeapTotals, SiteRow};
use rig::block::Block;
use rig::recording::{Recording, less, sum};
use rig::{program, scratch};

#[global_allocator]
static HEAP: Heaptide = Heaptide::new();

fn main() -> ExitCode {
    rig::main(
        &[("estimates_are_right_on_average", estimates_are_right_on_average)],
        &[("estimates", estimates)],
    )
}

/// Some blocks made one way. Of every three, one is freed before the snapshot.
struct Group {
    name: &'static str,
    n: usize,
    size: fn(usize) -> usize,
    make: fn(usize) -> Block,
    free: fn(Vec<Block>),
    /// Begun at [`BEGUN`] bytes and then resized.
    resized: bool,
}

fn make(bytes: usize) -> Block {
    Block::make(bytes, 8, 1)
}

/// What blocks have that are about to be resized.
const BEGUN: usize = 40;

fn make_grown(bytes: usize) -> Block {
    Block::make(BEGUN, 1, 1).resize(bytes)
}

fn free_elsewhere(blocks: Vec<Block>) {
    thread::spawn(|| drop(blocks)).join().expect("it ends well");
}

const GROUPS: [Group; 7] = [
    Group { name: "tiny", n: 3000, size: |_| 8, make, free: drop, resized: false },
    Group { name: "small", n: 1500, size: |i| 50 + i % 200, make, free: drop, resized: false },
    Group {
        name: "zeroed",
        n: 900,
        size: |i| 900 + i,
        make: |bytes| Block::make(bytes, 16, 0),
        free: drop,
        resized: false,
    },
    Group { name: "large", n: 30, size: |i| 3000 * (i + 1), make, free: drop, resized: false },
    Group {
        name: "aligned",
        n: 150,
        size: |i| 100 + i,
        make: |bytes| Block::make(bytes, 8192, 3),
        free: drop,
        resized: false,
    },
    Group {
        name: "grown",
        n: 600,
        size: |i| 100 + i * 3,
        make: make_grown,
        free: drop,
        resized: true,
    },
    Group {
        name: "passed on",
        n: 300,
        size: |i| 500 + i,
        make,
        free: free_elsewhere,
        resized: false,
    },
];

impl Group {
    /// Makes the blocks; those that stay.
    #[inline(never)]
    fn run(&self) -> Vec<Block> {
        let (mut kept, mut gone) = (Vec::with_capacity(self.n), Vec::with_capacity(self.n));
        for i in 0..self.n {
            let bytes = (self.size)(i);
            let block = {
                let _scope = heaptide::tag(self.name);
                (self.make)(bytes)
            };
            if i % 3 == 0 { gone.push(block) } else { kept.push(block) }
        }
        (self.free)(gone);
        kept
    }

    /// About how many of the blocks that stay are caught by chance.
    fn caught(&self, period_bytes: u64) -> f64 {
        let kept = (0..self.n).filter(|i| i % 3 != 0).map(|i| (self.size)(i) as f64);
        let by_chance = kept.filter(|&size| size < period_bytes as f64);
        by_chance.map(|size| size / period_bytes as f64).sum()
    }

    /// What an exact count of one run is, where a resize counts as the end of a block and the
    /// birth of another.
    fn truth(&self) -> HeapTotals {
        let sizes = || (0..self.n).map(|i| (self.size)(i) as u64);
        let freed = || (0..self.n).filter(|i| i % 3 == 0).map(|i| (self.size)(i) as u64);
        let begun = if self.resized { self.n as u64 } else { 0 };
        let begun_bytes = begun * BEGUN as u64;
        let (allocs, frees) = (self.n as u64 + begun, freed().count() as u64 + begun);
        let (alloc_bytes, freed_bytes) =
            (sizes().sum::<u64>() + begun_bytes, freed().sum::<u64>() + begun_bytes);
        HeapTotals {
            allocs,
            frees,
            alloc_bytes,
            freed_bytes,
            reallocs: begun,
            live_objects: allocs - frees,
            live_bytes: alloc_bytes - freed_bytes,
        }
    }
}

/// Estimates against the truth, over many runs.
#[derive(Default)]
struct Errors {
    deviations: Vec<f64>,
    scores: Vec<f64>,
}

impl Errors {
    fn add(&mut self, estimate: u64, truth: u64, said: Option<f64>) {
        let deviation = estimate as f64 - truth as f64;
        self.deviations.push(deviation);
        match said {
            Some(error) if error > 0.0 => self.scores.push(deviation / error),
            _ => {}
        }
    }

    /// The mean is the truth, within what a mean of so many scatters.
    fn check_mean(&self, what: &str) {
        let n = self.deviations.len() as f64;
        let mean = self.deviations.iter().sum::<f64>() / n;
        let squares = self.deviations.iter().map(|deviation| (deviation - mean).powi(2));
        let error = (squares.sum::<f64>() / (n - 1.0) / n).sqrt();
        assert!(mean.abs() <= 5.0 * error, "{what}: off by {mean} on average, error {error}");
    }
}

const RUNS: u64 = 100;

/// One process, many runs: each is drawn anew.
fn estimates() {
    let path = scratch("estimates");
    let recorder = Recorder::builder().output(&path).start().expect("a recording starts");
    let mut seqs = Vec::new();
    let mut before = recorder.snapshot().expect("a snapshot");
    for _ in 0..RUNS {
        let kept: Vec<_> = GROUPS.iter().map(Group::run).collect();
        let full = recorder.snapshot().expect("a snapshot");
        for (group, kept) in GROUPS.iter().zip(kept) {
            (group.free)(kept);
        }
        let empty = recorder.snapshot().expect("a snapshot");
        seqs.push((before, full));
        before = empty;
    }
    recorder.finish().expect("the end");
    let recording = Recording::read(&path);
    let Mode::Sampled { period_bytes } = recording.header.mode else { panic!("not sampled") };
    assert_eq!(recording.last().dropped, heaptide_format::Dropped::default());
    let mut scores = Vec::new();
    for group in &GROUPS {
        let seen = check_group(&recording, group, &seqs);
        // Where a run catches a few blocks or none, errors are far from normal.
        scores.extend(seen.into_iter().filter(|_| group.caught(period_bytes) >= 25.0));
    }
    let all = scores.len() as f64;
    let within = scores.iter().filter(|score| score.abs() <= 2.0).count() as f64 / all;
    let variance = scores.iter().map(|score| score * score).sum::<f64>() / all;
    println!("{all} scores: {within:.3} within two errors, variance {variance:.3}");
    // 0.954 and 1, for a normal distribution, within five errors of as many draws: the objects and the
    // bytes of a group are off together.
    let draws = all / 2.0;
    let least_within = 0.954 - 5.0 * (0.954 * 0.046 / draws).sqrt();
    assert!(all == 0.0 || within >= least_within, "{within} of {all} lie within two errors");
    let off = (variance - 1.0).abs();
    assert!(all == 0.0 || off <= 5.0 * (2.0 / draws).sqrt(), "scores have variance {variance}");
}

/// Holds the means of all estimates against the truth; the deviations of live numbers, in errors.
fn check_group(recording: &Recording, group: &Group, seqs: &[(u64, u64)]) -> Vec<f64> {
    let truth = group.truth();
    let mut errors: [Errors; 7] = Default::default();
    for &(before, full) in seqs {
        let rows = recording.tagged(full, group.name);
        let run = less(sum(&rows), recording.under(before, group.name));
        let after = recording.under(full + 1, group.name);
        assert_eq!((after.live_objects, after.live_bytes), (0, 0), "{}: all are gone", group.name);
        let gone = recording.tagged(full + 1, group.name);
        assert!(gone.iter().all(|row| row.objects_error == Some(0.0)), "{gone:?}");
        let error = |of: fn(&SiteRow) -> Option<f64>| {
            rows.iter().map(|row| of(row).expect("sampled").powi(2)).sum::<f64>().sqrt()
        };
        let (objects, bytes) = (error(|row| row.objects_error), error(|row| row.bytes_error));
        let pairs = [
            (run.allocs, truth.allocs, None),
            (run.frees, truth.frees, None),
            (run.alloc_bytes, truth.alloc_bytes, None),
            (run.freed_bytes, truth.freed_bytes, None),
            (run.reallocs, truth.reallocs, None),
            (run.live_objects, truth.live_objects, Some(objects)),
            (run.live_bytes, truth.live_bytes, Some(bytes)),
        ];
        for (errors, (estimate, truth, said)) in errors.iter_mut().zip(pairs) {
            errors.add(estimate, truth, said);
        }
    }
    let names = ["allocs", "frees", "alloc_bytes", "freed_bytes", "reallocs", "objects", "bytes"];
    for (errors, name) in errors.iter().zip(names) {
        errors.check_mean(&format!("{} {name}", group.name));
    }
    errors.into_iter().flat_map(|errors| errors.scores).collect()
}

fn estimates_are_right_on_average() {
    for period in ["sampled:700", "sampled:3KiB", "sampled:16KiB", "sampled:64kB"] {
        let output = program("estimates").env("HEAPTIDE_MODE", period).output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{period}: {said}");
        eprint!("{period}: {}", String::from_utf8_lossy(&output.stdout));
    }
}
