//! Every request sets a timeout and is done long before it would fire.
//!
//! The healthy twin cancels the timeout; the leak leaves it to fire in an hour.

mod rounds;

use std::collections::BTreeMap;

use rounds::{Outcome, Pace};

type Deadline = (u64, u64);
type Alarm = Box<dyn Fn() -> String>;

#[derive(Default)]
struct Timers {
    alarms: BTreeMap<Deadline, Alarm>,
    set: u64,
}

impl Timers {
    fn set(&mut self, at: u64, alarm: Alarm) -> Deadline {
        self.set += 1;
        self.alarms.insert((at, self.set), alarm);
        (at, self.set)
    }

    fn cancel(&mut self, deadline: Deadline) {
        self.alarms.remove(&deadline);
    }
}

fn main() -> Outcome {
    let mut timers = Timers::default();
    rounds::drive(Pace::Even(300), |request| handle_request(&mut timers, request))
}

fn handle_request(timers: &mut Timers, request: u64) {
    let hour = 3_600_000;
    let name = format!("GET /orders/{request}");
    let timeout = timers.set(request + hour, Box::new(move || format!("{name} timed out")));
    if cfg!(not(feature = "leaky")) {
        timers.cancel(timeout);
    }
}
