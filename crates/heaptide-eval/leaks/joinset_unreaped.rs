//! A server puts a task for every connection into a `JoinSet`.
//!
//! The healthy twin also takes the finished ones out; otherwise their results wait there for ever.

mod rounds;

use rounds::{Outcome, Pace};
use tokio::{
    runtime::Builder,
    task::{self, JoinSet},
};

fn main() -> Outcome {
    let runtime = Builder::new_current_thread().build()?;
    let mut connections = JoinSet::new();
    rounds::drive(Pace::Even(300), |id| {
        runtime.block_on(accept_connection(&mut connections, id));
    })
}

async fn accept_connection(connections: &mut JoinSet<u64>, id: u64) {
    connections.spawn(async move { id });
    task::yield_now().await;
    if cfg!(not(feature = "leaky")) {
        while connections.try_join_next().is_some() {}
    }
}
