//! Every writer, on processes made up from the bytes, read by the parsers of the table of payloads.
//!
//! `cargo +nightly fuzz run writers` in `crates/heaptide-report`, or `cargo ci fuzz`.

#![no_main]

#[path = "../../tests/it/sample.rs"]
#[allow(dead_code)]
mod sample;

#[path = "../../tests/it/untrusted"]
#[allow(dead_code)]
mod untrusted {
    pub(crate) mod fields;
    pub(crate) mod generated;
    pub(crate) mod outputs;
    pub(crate) mod payloads;
}

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| untrusted::generated::check(bytes));
