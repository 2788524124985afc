//! A file that was cut, or scribbled over: an error with a place in it, never a panic.

use heaptide_format::{Error, Line};
use proptest::prelude::*;

use crate::{any, full, released};

/// Parses every line of a damaged file; errors must point into their line.
fn check(bytes: &[u8]) -> usize {
    let mut errors = 0;
    for line in bytes.split(|&byte| byte == b'\n') {
        if let Err(err) = Line::parse(line) {
            errors += 1;
            if let Error::Malformed { column, cause } = err {
                assert!(column <= line.len(), "{cause} at {column} of {}", line.len());
            }
        }
    }
    errors
}

#[test]
fn a_released_file_cut_at_any_byte_loses_one_line_at_most() {
    for (name, bytes) in released::files() {
        let whole = check(&bytes);
        for cut in 0..bytes.len() {
            let errors = check(&bytes[..cut]);
            assert!(errors <= whole + 1, "{name} cut at {cut}: {errors} broken lines");
        }
    }
}

#[test]
fn a_cut_line_is_never_taken_for_a_whole_one() {
    for line in full::lines() {
        let mut bytes = Vec::new();
        line.write_to(&mut bytes);
        for cut in 0..bytes.len() - 2 {
            assert!(
                Line::parse(&bytes[..cut]).is_err(),
                "{}",
                String::from_utf8_lossy(&bytes[..cut])
            );
        }
    }
}

proptest! {
    #[test]
    fn a_changed_byte_is_no_panic(line in any::line(), at in any::<prop::sample::Index>(), byte: u8) {
        let mut bytes = Vec::new();
        line.write_to(&mut bytes);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        check(&bytes);
    }

    #[test]
    fn any_bytes_are_no_panic(bytes: Vec<u8>) {
        check(&bytes);
    }
}
