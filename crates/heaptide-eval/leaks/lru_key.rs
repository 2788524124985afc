//! Rate limits by client name: a client is forgotten when it hangs up, or when others push it out.
//!
//! `LruCache::pop` of lru 0.6.3 takes the value out of an entry and does not drop the key.

mod rounds;

use lru::LruCache;
use rounds::{Outcome, Pace};

fn main() -> Outcome {
    let mut limits = LruCache::new(64);
    rounds::drive(Pace::Even(600), |client| serve_client(&mut limits, client))
}

fn serve_client(limits: &mut LruCache<String, u64>, client: u64) {
    let name = format!("client-number-{client}");
    let hangs_up = client.is_multiple_of(3);
    limits.put(name.clone(), client);
    if hangs_up {
        limits.pop(&name);
    }
}
