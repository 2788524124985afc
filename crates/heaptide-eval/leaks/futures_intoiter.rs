//! A request asks three backends, waits for none of them, and collects what is still pending.
//!
//! `FuturesUnordered::into_iter` of futures-util 0.3.32 takes the futures out of their tasks and does
//! not release the tasks.

mod rounds;

use std::{
    future,
    pin::Pin,
    task::{Context, Waker},
};

use futures_util::stream::{FuturesUnordered, Stream};
use rounds::{Outcome, Pace};

fn main() -> Outcome {
    rounds::drive(Pace::Even(300), |_| {
        cancel_backends();
    })
}

fn cancel_backends() -> usize {
    let mut asked: FuturesUnordered<_> = (0..3).map(|_| future::pending::<()>()).collect();
    let mut context = Context::from_waker(Waker::noop());
    let _ = Pin::new(&mut asked).poll_next(&mut context);
    asked.into_iter().count()
}
