//! Search results are kept until nobody has asked for them for a while.
//!
//! The cache of moka 0.7.0 takes expired entries off its deques, but does not free the nodes.

mod rounds;

use std::{thread, time::Duration};

use moka::unsync::{Cache, CacheBuilder};
use rounds::{Outcome, Pace};

const IDLE: Duration = Duration::from_millis(20);

fn main() -> Outcome {
    let mut results = CacheBuilder::new(256).time_to_idle(IDLE).build();
    rounds::drive(Pace::Even(1000), |query| handle_query(&mut results, query))
}

fn handle_query(results: &mut Cache<String, u64>, query: u64) {
    results.insert(format!("q={query}"), query);
    if query.is_multiple_of(250) {
        thread::sleep(IDLE / 3);
    }
}
