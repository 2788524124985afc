//! Any bytes are a recording, or an error: reading and judging them never panics, and takes memory
//! in proportion to them, as the limits that `cargo ci fuzz` gives the fuzzer see to.
//!
//! `cargo +nightly fuzz run recording` in `crates/heaptide-analyze`, or `cargo ci fuzz`.

#![no_main]

use std::fs;

use heaptide_analyze::dump::Dump;
use heaptide_analyze::identity::WorkspaceCrates;
use heaptide_analyze::load::Location;
use heaptide_analyze::Terms;
use heaptide_analyze::symbols::RecordedOnly;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // The loader goes back and forth in a file, so it needs one; each fuzzing process has its own.
    let path = std::env::temp_dir().join(format!("heaptide-fuzz-{}.jsonl", std::process::id()));
    fs::write(&path, bytes).expect("the temporary directory can be written to");
    // Every outcome is right, but for a panic.
    let _ = heaptide_analyze::judge(&[path.clone()], &mut RecordedOnly, &Terms::default());
    let last = Location { path, seq: None };
    let _ = Dump::open(&last, &mut RecordedOnly, &WorkspaceCrates::new());
});
