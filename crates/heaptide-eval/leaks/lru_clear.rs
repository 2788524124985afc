//! The fragments of a page are cached while it is put together, and cleared once it is sent.
//!
//! `LruCache::clear` of lru 0.6.2 unlinks its entries without dropping what they hold.

mod rounds;

use lru::LruCache;
use rounds::{Outcome, Pace};

fn main() -> Outcome {
    let mut fragments = LruCache::new(64);
    rounds::drive(Pace::Even(200), |page| render_page(&mut fragments, page))
}

fn render_page(fragments: &mut LruCache<u64, Vec<u8>>, page: u64) {
    for part in 0..20 {
        fragments.put(page * 20 + part, vec![b'-'; 40]);
    }
    fragments.clear();
}
