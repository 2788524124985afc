//! Names of metrics are interned: each is stored once and then known by a number.
//!
//! The leak interns names that contain the request's id. The healthy twin interns routes, of which
//! there are only so many: its table grows until it has seen them all.

mod rounds;

use std::collections::HashMap;

use rounds::{Outcome, Pace};

const ROUTES: u64 = 300;

#[derive(Default)]
struct Interner(HashMap<Box<str>, usize>);

impl Interner {
    fn intern(&mut self, name: &str) -> usize {
        if let Some(&id) = self.0.get(name) {
            return id;
        }
        let id = self.0.len();
        self.0.insert(name.into(), id);
        id
    }
}

fn main() -> Outcome {
    let mut names = Interner::default();
    rounds::drive(Pace::Even(400), |request| {
        handle_request(&mut names, request);
    })
}

fn handle_request(names: &mut Interner, request: u64) -> usize {
    if cfg!(feature = "leaky") {
        names.intern(&format!("latency.request-{request}"))
    } else {
        names.intern(&format!("latency.route-{}", request.wrapping_mul(2_654_435_761) % ROUTES))
    }
}
