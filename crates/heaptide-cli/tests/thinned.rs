//! A recording that the cap has thinned is judged as the whole one is.
//!
//! The same work, deterministic, is recorded twice: with room for everything, and with a cap that leaves
//! a fraction of the snapshots. What is found in both, and how sure it is, must be the same.

use std::hint::black_box;
use std::path::Path;
use std::process::Command;

use heaptide::{Heaptide, Recorder};
use serde_json::Value;

#[global_allocator]
static HEAP: Heaptide = Heaptide::new();

const N_SNAPSHOTS: u32 = 1200;
const CACHE_SLOTS: usize = 64;

#[inline(never)]
fn leak(n: u32) {
    for size in 0..2 + n % 2 {
        std::mem::forget(black_box(vec![1u8; 100 + size as usize]));
    }
}

#[inline(never)]
fn cache(slots: &mut [Option<Vec<u8>>], n: u32) {
    let slot = n as usize % slots.len();
    slots[slot] = Some(black_box(vec![1u8; 300]));
}

#[inline(never)]
fn come_and_go(n: u32) {
    let held: Vec<_> = (0..n % 7).map(|size| black_box(vec![1u8; 50 + size as usize])).collect();
    drop(black_box(held));
}

/// A leak, a cache with a bound, and what every request needs; a snapshot after each of its steps.
#[inline(never)]
fn work(recorder: &Recorder) {
    let mut slots = vec![None; CACHE_SLOTS];
    for n in 0..N_SNAPSHOTS {
        leak(n);
        cache(&mut slots, n);
        come_and_go(n);
        heaptide::work("requests", 1);
        recorder.snapshot().expect("a snapshot");
    }
}

/// The exit code, the findings (name, class, confidence, bytes per request), and how many snapshots.
fn judged(recording: &Path) -> (Option<i32>, Vec<String>, f64) {
    let mut check = Command::new(env!("CARGO_BIN_EXE_heaptide"));
    let output = check.arg("check").arg("--format").arg("json").arg(recording).output();
    let output = output.expect("the command starts");
    let report: Value = serde_json::from_slice(&output.stdout).expect("the report is JSON");
    let run = &report["runs"][0];
    let n_snapshots = run["snapshots"].as_f64().unwrap_or_default();
    let findings = run["findings"].as_array().expect("findings");
    let shown = |finding: &Value| {
        let name = &finding["blamed"]["function"];
        let bytes_per_op = finding["rate"]["bytes_per_op"].as_f64().unwrap_or_default();
        format!("{name} {} {} {bytes_per_op:.0}", finding["class"], finding["confidence"])
    };
    (output.status.code(), findings.iter().map(shown).collect(), n_snapshots)
}

#[test]
fn a_thinned_recording_is_judged_as_the_whole_one() {
    let folder = tempfile::tempdir().expect("a directory");
    let record = |name: &str, total_bytes: u64| {
        let path = folder.path().join(name);
        let builder = Recorder::builder().output(&path).total_bytes(total_bytes);
        let recorder = builder.segment_bytes(total_bytes / 8).start().expect("a recording starts");
        work(&recorder);
        recorder.finish().expect("the end");
        path
    };
    let whole = record("whole.jsonl", 1 << 30);
    let thinned = record("thinned.jsonl", 300_000);
    let (whole, thinned) = (judged(&whole), judged(&thinned));
    println!("{whole:?}\n{thinned:?}");
    assert_eq!(whole.0, Some(1), "the leak is found in the whole recording");
    assert_eq!((whole.0, &whole.1), (thinned.0, &thinned.1));
    assert!(thinned.2 < whole.2 / 3.0, "{} of {} snapshots are left", thinned.2, whole.2);
}
