//! `cargo +nightly fuzz run policy` in `crates/heaptide-analyze`, or `cargo ci fuzz`.

#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code)]
mod bodies;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| bodies::policy(bytes));
