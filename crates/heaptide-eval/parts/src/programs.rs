//! What is played, and what of it grows.

#![forbid(unsafe_code)]

use std::fs::File;
use std::hint::black_box;
use std::thread;

use fastrand::Rng;

use crate::memory::{BlockOfC, MappedFile, is_forked, map};
use crate::program::{Now, Played, Program};

pub(crate) const PROGRAMS: [Program; 20] = [
    Program { name: "nothing", grows: &[], start: |_| Box::new(|_: &Now, _: &mut Rng| {}) },
    // glibc's chunks: eight bytes more than the block, and a multiple of sixteen.
    Program {
        name: "c-4-kib-per-request",
        grows: &["other_malloc=4112"],
        start: |_| c_leak(4096, 1),
    },
    Program { name: "c-64-bytes-often", grows: &["other_malloc=1600"], start: |_| c_leak(64, 20) },
    Program {
        name: "c-under-a-sawtooth",
        grows: &["other_malloc=4112"],
        start: c_leak_and_sawtooth,
    },
    Program { name: "fork-workers", grows: &["other_malloc=4112"], start: |_| workers() },
    Program { name: "c-cache-filled-early", grows: &[], start: |rng| c_cache(rng, 0.1..0.3) },
    Program {
        name: "c-cache-filled-late",
        grows: &["other_malloc?", "rust?"],
        start: |rng| c_cache(rng, 0.6..0.95),
    },
    Program {
        name: "private-maps",
        grows: &["anonymous"],
        start: |rng| maps(rng, libc::MAP_PRIVATE),
    },
    Program {
        name: "shared-maps",
        grows: &["anonymous"],
        start: |rng| maps(rng, libc::MAP_SHARED),
    },
    Program { name: "parked-threads", grows: &["threads", "rust"], start: parked_threads },
    Program { name: "threads-that-come-and-go", grows: &[], start: passing_threads },
    Program { name: "open-files", grows: &["descriptors"], start: open_files },
    Program { name: "spike-that-is-kept", grows: &[], start: spike },
    Program { name: "sawtooth", grows: &[], start: |rng| Box::new(Sawtooth::new(rng)) },
    Program { name: "mapped-file", grows: &[], start: mapped_file },
    Program { name: "untouched-capacity", grows: &[], start: untouched_capacity },
    Program { name: "bursts", grows: &[], start: bursts },
    Program { name: "load-ramp", grows: &["rust?"], start: ramp },
    Program { name: "rust", grows: &["rust"], start: |rng| rust(rng, false) },
    Program {
        name: "rust-and-c",
        grows: &["rust", "other_malloc=4112"],
        start: |rng| rust(rng, true),
    },
];

impl<F: FnMut(&Now, &mut Rng)> Played for F {
    fn serve(&mut self, now: &Now, rng: &mut Rng) {
        self(now, rng);
    }
}

fn c_leak(bytes: usize, times: u32) -> Box<dyn Played> {
    Box::new(move |_: &Now, _: &mut Rng| {
        (0..times).for_each(|_| std::mem::forget(BlockOfC::new(bytes)));
    })
}

/// Two workers that leak in C, forked by a process that only waits.
fn workers() -> Box<dyn Played> {
    if (0..2).any(|_| is_forked()) { c_leak(4096, 1) } else { Box::new(|_: &Now, _: &mut Rng| {}) }
}

fn c_leak_and_sawtooth(rng: &mut Rng) -> Box<dyn Played> {
    let mut sawtooth = Sawtooth::new(rng);
    Box::new(move |now: &Now, rng: &mut Rng| {
        sawtooth.serve(now, rng);
        std::mem::forget(BlockOfC::new(4096));
    })
}

/// Entries of C's that are replaced once the cache is full, at a share of the run.
fn c_cache(rng: &mut Rng, full: std::ops::Range<f64>) -> Box<dyn Played> {
    let full = full.start + rng.f64() * (full.end - full.start);
    let mut entries: Vec<BlockOfC> = Vec::new();
    Box::new(move |now: &Now, rng: &mut Rng| {
        let entry = BlockOfC::new(rng.usize(2000..6000));
        if now.share < full {
            entries.push(entry);
        } else {
            let at = rng.usize(0..entries.len());
            entries[at] = entry;
        }
    })
}

fn maps(rng: &mut Rng, kind: libc::c_int) -> Box<dyn Played> {
    let every = rng.u64(4..12);
    Box::new(move |now: &Now, _: &mut Rng| {
        if now.request.is_multiple_of(every) {
            map(32 << 10, kind);
        }
    })
}

fn parked_threads(rng: &mut Rng) -> Box<dyn Played> {
    let every = rng.u64(100..400);
    Box::new(move |now: &Now, _: &mut Rng| {
        if now.request.is_multiple_of(every) {
            thread::spawn(|| {
                black_box(vec![1u8; 100]);
                loop {
                    thread::park();
                }
            });
        }
    })
}

fn passing_threads(rng: &mut Rng) -> Box<dyn Played> {
    let every = rng.u64(20..80);
    Box::new(move |now: &Now, _: &mut Rng| {
        if now.request.is_multiple_of(every) {
            thread::spawn(|| black_box(vec![1u8; 10_000]).len());
        }
    })
}

fn open_files(rng: &mut Rng) -> Box<dyn Played> {
    let every = rng.u64(50..200);
    Box::new(move |now: &Now, _: &mut Rng| {
        if now.request.is_multiple_of(every) {
            std::mem::forget(File::open("/dev/null"));
        }
    })
}

/// Much memory for a moment; a block at its end keeps the allocator from giving it back.
fn spike(rng: &mut Rng) -> Box<dyn Played> {
    let (at, n) = (0.2 + 0.5 * rng.f64(), rng.usize(20_000..60_000));
    let mut pin: Option<Vec<u8>> = None;
    Box::new(move |now: &Now, _: &mut Rng| {
        if now.share >= at && pin.is_none() {
            let much: Vec<Vec<u8>> = (0..n).map(|_| vec![1; 1500]).collect();
            pin = Some(vec![1; 1500]);
            drop(black_box(much));
        }
    })
}

/// Fills up and is emptied, again and again.
struct Sawtooth {
    kept: Vec<Vec<u8>>,
    most: usize,
}

impl Sawtooth {
    fn new(rng: &mut Rng) -> Self {
        Self { kept: Vec::new(), most: rng.usize(500..4000) }
    }
}

impl Played for Sawtooth {
    fn serve(&mut self, _: &Now, rng: &mut Rng) {
        self.kept.push(vec![1; rng.usize(1000..8000)]);
        if self.kept.len() >= self.most {
            self.kept.clear();
        }
    }
}

fn mapped_file(_: &mut Rng) -> Box<dyn Played> {
    let file = MappedFile::new(128 << 20).expect("a file can be mapped");
    Box::new(move |now: &Now, _: &mut Rng| {
        let from = (now.request as usize) << 13;
        black_box(file.read(from) + file.read(from + 4096));
    })
}

/// Room for much, of which little is used; a little more is asked for now and then.
fn untouched_capacity(rng: &mut Rng) -> Box<dyn Played> {
    let mut rooms: Vec<Vec<u8>> = Vec::new();
    let until = 0.1 + 0.2 * rng.f64();
    Box::new(move |now: &Now, _: &mut Rng| {
        if now.share < until && now.request.is_multiple_of(50) {
            let mut room = Vec::with_capacity(8 << 20);
            room.push(1);
            rooms.push(room);
        }
    })
}

/// Many blocks of many sizes for a moment, now and then.
fn bursts(rng: &mut Rng) -> Box<dyn Played> {
    let every = rng.u64(300..900);
    Box::new(move |now: &Now, rng: &mut Rng| {
        if now.request % every == every / 2 {
            let n = rng.usize(2_000..8_000);
            let burst: Vec<Vec<u8>> = (0..n).map(|_| vec![1; rng.usize(16..4000)]).collect();
            drop(black_box(burst));
        }
    })
}

/// As many sessions as the load asks for, which grows all the time.
fn ramp(rng: &mut Rng) -> Box<dyn Played> {
    let most = rng.usize(1000..4000);
    let mut sessions: std::collections::VecDeque<Vec<u8>> = Default::default();
    Box::new(move |now: &Now, _: &mut Rng| {
        sessions.push_back(vec![1; 3000]);
        while sessions.len() > 1 + (now.share * most as f64) as usize {
            sessions.pop_front();
        }
    })
}

fn rust(rng: &mut Rng, and_c: bool) -> Box<dyn Played> {
    let bytes = rng.usize(200..2000);
    let mut kept: Vec<Vec<u8>> = Vec::new();
    Box::new(move |_: &Now, _: &mut Rng| {
        kept.push(vec![1; bytes]);
        if and_c {
            std::mem::forget(BlockOfC::new(4096));
        }
    })
}
