//! What is written is read back, to the last bit, and written again as the same bytes.

use heaptide_format::{Kind, Line};
use proptest::prelude::*;

use crate::any;

proptest! {
    #[test]
    fn a_line_read_back_is_the_line_written(line in any::line()) {
        let mut once = Vec::new();
        line.write_to(&mut once);
        let read = Line::parse(&once).map_err(|err| TestCaseError::fail(err.to_string()))?;
        prop_assert_eq!(&read, &line);
        let mut twice = Vec::new();
        read.write_to(&mut twice);
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn a_line_is_one_line_and_tells_its_kind_first(line in any::line()) {
        let mut out = Vec::new();
        line.write_to(&mut out);
        prop_assert_eq!(out.iter().position(|&byte| byte == b'\n'), Some(out.len() - 1));
        let kind = Kind::of(&out).map_err(|err| TestCaseError::fail(err.to_string()))?;
        let opening = [b"{\"kind\":\"", kind.word().as_bytes(), b"\""].concat();
        prop_assert!(out.starts_with(&opening));
    }

    #[test]
    fn several_lines_in_one_buffer_do_not_touch_each_other(lines in prop::collection::vec(any::line(), 1..4)) {
        let mut out = Vec::new();
        lines.iter().for_each(|line| line.write_to(&mut out));
        let read: Result<Vec<_>, _> = out.split_inclusive(|&b| b == b'\n').map(Line::parse).collect();
        prop_assert_eq!(read, Ok(lines));
    }
}
