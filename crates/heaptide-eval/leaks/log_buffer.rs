//! The last log lines are kept in memory for the crash report.
//!
//! The healthy twin keeps the last two thousand; it fills up early and then turns over.

mod rounds;

use std::collections::VecDeque;

use rounds::{Outcome, Pace};

const LINES: usize = 2_000;

fn main() -> Outcome {
    let mut log = VecDeque::new();
    rounds::drive(Pace::Even(500), |request| handle_request(&mut log, request))
}

fn handle_request(log: &mut VecDeque<String>, request: u64) {
    log.push_back(format!("request {request} served in {} ms", request % 17));
    if cfg!(not(feature = "leaky")) && log.len() > LINES {
        log.pop_front();
    }
}
