//! Events are collected and sent in batches of seven hundred.
//!
//! Every fifth batch is refused. The leak keeps it for a retry that nobody starts; the healthy
//! twin retries it with the next one. Both show the same sawtooth.

mod rounds;

use rounds::{Outcome, Pace};

const BATCH: usize = 700;

#[derive(Default)]
struct Exporter {
    batch: Vec<String>,
    refused: Vec<Vec<String>>,
    attempts: u64,
}

impl Exporter {
    fn collect(&mut self, event: u64) {
        self.batch.push(format!("user {event} signed in"));
        if self.batch.len() == BATCH {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if cfg!(not(feature = "leaky")) {
            self.refused.clear();
        }
        let batch = std::mem::take(&mut self.batch);
        self.attempts += 1;
        if self.attempts.is_multiple_of(5) {
            self.refused.push(batch);
        }
    }
}

fn main() -> Outcome {
    let mut exporter = Exporter::default();
    rounds::drive(Pace::Even(900), |event| handle_event(&mut exporter, event))
}

fn handle_event(exporter: &mut Exporter, event: u64) {
    exporter.collect(event);
}
