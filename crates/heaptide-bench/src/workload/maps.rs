//! A map of strings under churn: an operation inserts a pair, or removes the one that was there.

use std::collections::BTreeMap;
use std::hint::black_box;

use super::{Allocating, Rng};

/// Half of them are in the map at any time.
const N_KEYS: u64 = 20_000;

impl Allocating {
    pub(crate) fn btree() -> Self {
        let mut rng = Rng::new(1);
        let mut map: BTreeMap<String, String> = BTreeMap::new();
        Self::new(2 * N_KEYS, 500, move |ops| {
            for _ in 0..ops {
                toggle(&mut map, rng.next() % N_KEYS);
            }
            black_box(&map);
        })
    }
}

#[inline(never)]
fn toggle(map: &mut BTreeMap<String, String>, key: u64) {
    let name = format!("session-{key:08}");
    if map.remove(&name).is_none() {
        let value = format!("user {key}, since this morning");
        map.insert(name, value);
    }
}
