//! Every request starts a task that waits for a reply which never comes.
//!
//! The healthy twin gives up: it aborts the task and waits until it is gone.

mod rounds;

use std::future;

use rounds::{Outcome, Pace};
use tokio::{runtime::Builder, task};

fn main() -> Outcome {
    let runtime = Builder::new_current_thread().build()?;
    rounds::drive(Pace::Even(300), |_| runtime.block_on(await_reply()))
}

async fn await_reply() {
    let reply = task::spawn(future::pending::<()>());
    task::yield_now().await;
    if cfg!(not(feature = "leaky")) {
        reply.abort();
        let _ = reply.await;
    }
}
