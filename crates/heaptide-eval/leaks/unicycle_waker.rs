//! A fan-out of three replies, each of which keeps the waker it was polled with until it is dropped.
//!
//! unicycle 0.10.1 leaves a future where it is while a waker refers to its task, even when the set is
//! dropped: a future that keeps its own waker then keeps itself.

mod rounds;

use std::{
    pin::Pin,
    task::{Context, Poll, Waker},
};

use futures::StreamExt;
use rounds::{Outcome, Pace};
use unicycle::FuturesUnordered;

/// Waits for a backend that never answers.
#[derive(Default)]
struct Reply {
    waker: Option<Waker>,
}

impl Future for Reply {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

fn main() -> Outcome {
    rounds::drive(Pace::Even(300), |_| fan_out())
}

fn fan_out() {
    let mut replies = FuturesUnordered::new();
    for _ in 0..3 {
        replies.push(Reply::default());
    }
    let mut context = Context::from_waker(Waker::noop());
    let _ = replies.poll_next_unpin(&mut context);
}
