//! Requests in flight are kept by id, so that an operator can list them.
//!
//! One in eight fails, and the error path returns before the entry is removed. The healthy twin
//! removes it on both paths.

mod rounds;

use std::collections::BTreeMap;

use rounds::{Outcome, Pace};

#[derive(Default)]
struct InFlight(BTreeMap<u64, String>);

impl InFlight {
    fn begin(&mut self, id: u64) {
        self.0.insert(id, format!("POST /orders/{id}"));
    }

    fn end(&mut self, id: u64) {
        self.0.remove(&id);
    }
}

fn main() -> Outcome {
    let mut in_flight = InFlight::default();
    rounds::drive(Pace::Even(800), |id| {
        let _ = handle_request(&mut in_flight, id);
    })
}

fn handle_request(in_flight: &mut InFlight, id: u64) -> Result<u64, u64> {
    in_flight.begin(id);
    let answer = charge_card(id);
    if cfg!(feature = "leaky") {
        let paid = answer?;
        in_flight.end(id);
        return Ok(paid);
    }
    in_flight.end(id);
    answer
}

fn charge_card(id: u64) -> Result<u64, u64> {
    if id % 8 == 7 { Err(id) } else { Ok(id) }
}
