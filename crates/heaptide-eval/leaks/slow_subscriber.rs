//! Prices are published to a subscriber that has stopped reading.
//!
//! Through an unbounded channel they pile up; through a broadcast channel, in the healthy twin,
//! the subscriber lags and the oldest are overwritten.

mod rounds;

use rounds::{Outcome, Pace};
use tokio::sync::{broadcast, mpsc};

const BACKLOG: usize = 256;

enum Feed {
    Unbounded(mpsc::UnboundedSender<Price>),
    Bounded(broadcast::Sender<Price>),
}

type Price = Box<[u64; 4]>;

impl Feed {
    fn publish(&self, price: Price) {
        match self {
            Self::Unbounded(subscriber) => drop(subscriber.send(price)),
            Self::Bounded(subscribers) => drop(subscribers.send(price)),
        }
    }
}

fn main() -> Outcome {
    let (unbounded, _queue) = mpsc::unbounded_channel();
    let (bounded, _lagging) = broadcast::channel(BACKLOG);
    let feed =
        if cfg!(feature = "leaky") { Feed::Unbounded(unbounded) } else { Feed::Bounded(bounded) };
    rounds::drive(Pace::Even(400), |tick| handle_tick(&feed, tick))
}

fn handle_tick(feed: &Feed, tick: u64) {
    feed.publish(Box::new([tick; 4]));
}
