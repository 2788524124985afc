//! Sessions are inline values of a concurrent map; only one visitor in five logs out.
//!
//! The healthy twin ends the session of everybody who leaves.

mod rounds;

use dashmap::DashMap;
use rounds::{Outcome, Pace};

type Session = [u64; 6];

fn main() -> Outcome {
    let sessions = DashMap::new();
    rounds::drive(Pace::Rising(500), |visitor| handle_visit(&sessions, visitor))
}

fn handle_visit(sessions: &DashMap<u64, Session>, visitor: u64) {
    sessions.insert(visitor, [visitor; 6]);
    let logs_out = visitor.is_multiple_of(5);
    if logs_out || cfg!(not(feature = "leaky")) {
        sessions.remove(&visitor);
    }
}
