//! Log lines are cleaned of terminal colours with a pattern that is compiled for every line.
//!
//! `ThreadLocal` of thread_local 1.1.2 frees its buckets without dropping the values in them, which
//! here are the caches of a regex.

mod rounds;

use regex::bytes::Regex;
use rounds::{Outcome, Pace};

fn main() -> Outcome {
    rounds::drive(Pace::Even(60), |_| strip_colours(b"\x1b[31mdisk full\x1b[0m"))
}

fn strip_colours(line: &[u8]) {
    if let Ok(colour) = Regex::new(r"(?m)(\x1b|\[[0-9;]*[a-zA-Z])") {
        colour.replace_all(line, &b""[..]);
    }
}
