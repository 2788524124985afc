//! A consumer looks into its channel again and again and finds it empty.
//!
//! Every poll of a stream of flume 0.10.9 queues its hook once more, though it still waits there.

mod rounds;

use std::task::{Context, Waker};

use flume::r#async::RecvStream;
use futures::StreamExt;
use rounds::{Outcome, Pace};

fn main() -> Outcome {
    let (_orders, incoming) = flume::unbounded::<u64>();
    let mut incoming = incoming.into_stream();
    rounds::drive(Pace::Rising(200), |_| poll_orders(&mut incoming))
}

fn poll_orders(incoming: &mut RecvStream<'_, u64>) {
    let mut context = Context::from_waker(Waker::noop());
    let _ = incoming.poll_next_unpin(&mut context);
}
