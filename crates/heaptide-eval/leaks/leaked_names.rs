//! A library wants `&'static str`, so names are leaked on purpose, once each.
//!
//! The healthy twin has a name per shard, all leaked in the first requests; the leak makes one for
//! every tenth request.

mod rounds;

use rounds::{Outcome, Pace};

const SHARDS: usize = 64;

fn main() -> Outcome {
    let mut names = Vec::with_capacity(SHARDS);
    rounds::drive(Pace::Even(500), |request| {
        handle_request(&mut names, request);
    })
}

fn handle_request(names: &mut Vec<&'static str>, request: u64) -> usize {
    let shard = request as usize % SHARDS;
    if cfg!(feature = "leaky") && request.is_multiple_of(10) {
        return static_name(request).len();
    }
    while names.len() <= shard {
        names.push(static_name(names.len() as u64));
    }
    names[shard].len()
}

fn static_name(number: u64) -> &'static str {
    Box::leak(format!("shard-{number}").into_boxed_str())
}
