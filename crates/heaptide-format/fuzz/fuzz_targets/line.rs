//! Any bytes are a line, or an error whose place lies in them; and a line survives a rewrite.
//!
//! `cargo +nightly fuzz run line` in `crates/heaptide-format`, or `cargo ci fuzz`.

#![no_main]

use heaptide_format::{Error, Line};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match Line::parse(bytes) {
        Ok(line) => {
            let mut written = Vec::new();
            line.write_to(&mut written);
            assert_eq!(Line::parse(&written).as_ref(), Ok(&line));
        }
        Err(Error::Malformed { column, .. }) => assert!(column <= bytes.len()),
        Err(Error::Foreign | Error::UnknownKind(_)) => {}
    }
});
