//! Threads: some that stay and free each other's blocks, some that come and go.

use std::hint::black_box;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::Allocating;
use super::micro::Slots;

/// Of each thread: eight of them keep as much alive as the micro workload does, within a factor of
/// two.
const N_LIVE: usize = 2_000;
/// Every so many-th block is freed by the neighbour.
const HAND_OVER_EVERY: u64 = 4;
/// Blocks that change hands together.
const HANDFUL: usize = 64;
/// Blocks of a thread that comes and goes.
const BLOCKS_PER_THREAD: u64 = 32;

type Blocks = Vec<Vec<u8>>;
/// Where a thread leaves blocks for its neighbour.
type Mailbox = Arc<Mutex<Blocks>>;

/// A thread that works when told.
struct Worker {
    orders: Sender<u64>,
    done: Receiver<()>,
}

impl Allocating {
    /// The micro workload on `n` threads in a ring; an operation is one allocation and one free on
    /// any of them.
    pub(crate) fn threads(n: u64) -> Self {
        let boxes: Vec<Mailbox> = (0..n).map(|_| Mailbox::default()).collect();
        let neighbours = boxes.iter().cycle().skip(1);
        let workers: Vec<Worker> = (1..)
            .zip(boxes.iter().zip(neighbours))
            .map(|(seed, (own, next))| worker(seed, own.clone(), next.clone()))
            .collect();
        let share = 2 * N_LIVE as u64;
        Self::new(share * n, share * n, move |ops| {
            let share = ops / n;
            for worker in &workers {
                let _ = worker.orders.send(share);
            }
            for worker in &workers {
                let _ = worker.done.recv();
            }
        })
    }

    /// An operation is a thread: begun, at work, joined.
    pub(crate) fn thread_churn() -> Self {
        Self::new(20, 5, |ops| {
            for _ in 0..ops {
                let _ = thread::spawn(short_life).join();
            }
        })
    }
}

fn worker(seed: u64, own: Mailbox, next: Mailbox) -> Worker {
    let (orders, inbox) = channel();
    let (outbox, done) = channel();
    thread::spawn(move || {
        let mut slots = Slots::new(seed, N_LIVE);
        for ops in inbox {
            work(&mut slots, ops, &own, &next);
            let _ = outbox.send(());
        }
    });
    Worker { orders, done }
}

#[inline(never)]
fn work(slots: &mut Slots, ops: u64, own: &Mailbox, next: &Mailbox) {
    let mut handful = Vec::with_capacity(HANDFUL);
    for op in 0..ops {
        let block = slots.replace_one();
        if op.is_multiple_of(HAND_OVER_EVERY) {
            handful.push(block);
        }
        if handful.len() == HANDFUL {
            let full = std::mem::replace(&mut handful, Vec::with_capacity(HANDFUL));
            next.lock().unwrap_or_else(PoisonError::into_inner).extend(full);
            drop(std::mem::take(&mut *own.lock().unwrap_or_else(PoisonError::into_inner)));
        }
    }
}

fn short_life() {
    let blocks: Blocks = (0..BLOCKS_PER_THREAD).map(|n| vec![0; 16 + n as usize]).collect();
    black_box(blocks);
}
