//! A request counter with one label.
//!
//! The leak labels it with the id of the request, the healthy twin with the route.

mod rounds;

use prometheus::{IntCounterVec, Opts};
use rounds::{Outcome, Pace};

fn main() -> Outcome {
    let requests = IntCounterVec::new(Opts::new("requests", "Requests served."), &["what"])?;
    rounds::drive(Pace::Even(300), |request| handle_request(&requests, request))
}

fn handle_request(requests: &IntCounterVec, request: u64) {
    let label = if cfg!(feature = "leaky") {
        format!("request-{request}")
    } else {
        format!("/route/{}", request % 12)
    };
    requests.with_label_values(&[&label]).inc();
}
