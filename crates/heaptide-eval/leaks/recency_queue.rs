//! A bounded cache that remembers in a queue what was used last.
//!
//! The map never holds more than its bound, but a hit queues its key again without taking out the
//! older mention. The healthy twin rebuilds the queue when it is twice as long as the map.

mod rounds;

use std::collections::{HashMap, VecDeque};

use rounds::{Outcome, Pace};

const BOUND: usize = 400;
const KEYS: u64 = 200;

#[derive(Default)]
struct Cache {
    pages: HashMap<u64, u64>,
    recent: VecDeque<u64>,
}

impl Cache {
    fn get(&mut self, key: u64) -> u64 {
        let page = *self.pages.entry(key).or_insert(key);
        self.recent.push_back(key);
        if self.pages.len() > BOUND {
            self.evict();
        }
        if cfg!(not(feature = "leaky")) && self.recent.len() > 2 * self.pages.len() {
            self.forget_older_mentions();
        }
        page
    }

    fn evict(&mut self) {
        if let Some(oldest) = self.recent.pop_front() {
            self.pages.remove(&oldest);
        }
    }

    fn forget_older_mentions(&mut self) {
        self.recent.clear();
        self.recent.extend(self.pages.keys());
    }
}

fn main() -> Outcome {
    let mut cache = Cache::default();
    rounds::drive(Pace::Rising(400), |request| {
        handle_request(&mut cache, request);
    })
}

fn handle_request(cache: &mut Cache, request: u64) -> u64 {
    cache.get(request.wrapping_mul(2_654_435_761) % KEYS)
}
