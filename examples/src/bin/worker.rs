//! Orders come in a little faster than they can be shipped, and wait in a queue.
//!
//! Without a bound the queue holds all that ever came too fast. With one, orders are refused while
//! it is full, and whoever sent them has to try again.
//!
//! verdict of `worker`: leak at `worker::accept_order`
//! verdict of `worker --bound 64`: clean

#![forbid(unsafe_code)]

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use clap::Parser;
use heaptide_examples::asked_to_stop;
use tokio::time;

#[global_allocator]
static HEAP: heaptide::Heaptide = heaptide::Heaptide::new();

const TICK: Duration = Duration::from_millis(5);
const ARRIVE: u64 = 12;
const SHIPPED: usize = 9;

/// A worker whose queue has no end, unless given one
#[derive(Parser)]
struct Options {
    /// Refuse orders while so many are waiting
    #[arg(long, value_name = "ORDERS")]
    bound: Option<usize>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let Options { bound } = Options::parse();
    let queue = Arc::new(Queue { waiting: Mutex::default(), bound: bound.unwrap_or(usize::MAX) });
    tokio::spawn(receive(Arc::clone(&queue)));
    tokio::spawn(ship(queue));
    asked_to_stop().await;
}

struct Order {
    number: u64,
    customer: String,
    products: Vec<u32>,
}

struct Queue {
    waiting: Mutex<VecDeque<Order>>,
    bound: usize,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Order>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn receive(queue: Arc<Queue>) {
    let mut ticks = time::interval(TICK);
    for tick in 0.. {
        ticks.tick().await;
        for number in tick * ARRIVE..(tick + 1) * ARRIVE {
            accept_order(&queue, number);
        }
    }
}

/// Queues an order, or refuses it.
fn accept_order(queue: &Queue, number: u64) {
    let mut waiting = queue.lock();
    if waiting.len() < queue.bound {
        let customer = format!("customer {}", number % 500);
        waiting.push_back(Order { number, customer, products: vec![1, 2, 3] });
    }
    heaptide::work("orders", 1);
}

async fn ship(queue: Arc<Queue>) {
    let mut ticks = time::interval(TICK);
    loop {
        ticks.tick().await;
        for order in pack(&queue) {
            let Order { number, customer, products } = order;
            drop(format!("#{number}: {} parcels to {customer}", products.len()));
        }
    }
}

fn pack(queue: &Queue) -> Vec<Order> {
    let mut waiting = queue.lock();
    let count = waiting.len().min(SHIPPED);
    waiting.drain(..count).collect()
}
