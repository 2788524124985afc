//! Everything at once, for as long as one likes: what `cargo ci soak` runs to see how the shim's own
//! memory grows.

use std::thread;

use super::Allocating;
use crate::measure::{Clocks, Length, Measured};

/// Work of each kind: documents, maps, threads that free each other's blocks, many stacks, deep
/// stacks, threads that come and go.
const KINDS: [fn() -> Allocating; 6] = [
    Allocating::json,
    Allocating::btree,
    || Allocating::threads(2),
    || Allocating::sites(5_000),
    Allocating::deep,
    Allocating::thread_churn,
];

/// All of it, each on a thread of its own.
pub(crate) fn run(length: Length) -> Measured {
    let clocks = Clocks::start();
    let workers = KINDS.map(|kind| thread::spawn(move || kind().measure(length).total_ops));
    clocks.stop(workers.into_iter().filter_map(|worker| worker.join().ok()).sum())
}
