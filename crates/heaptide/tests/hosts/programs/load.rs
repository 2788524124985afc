//! Work for the allocator: call stacks that never repeat, and threads that do nothing but allocate.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{self, JoinHandle};

/// A source of stacks: each has its own seed, so that no two threads take the same ones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paths(u64);

impl Paths {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// The next path's turns.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Allocates a block at the end of the path that `turns` names: each bit is a call to one of two
/// functions, so paths of `depth` calls have two to the power of `depth` different stacks.
#[inline(never)]
pub(crate) fn allocate_at(turns: u64, depth: u32, bytes: usize) -> Vec<u8> {
    if depth == 0 {
        return black_box(Vec::with_capacity(bytes));
    }
    if turns & 1 == 0 {
        turn_left(turns >> 1, depth - 1, bytes)
    } else {
        turn_right(turns >> 1, depth - 1, bytes)
    }
}

// What is done with the block afterwards differs, or the compiler would make one function of two.
#[inline(never)]
fn turn_left(turns: u64, depth: u32, bytes: usize) -> Vec<u8> {
    let mut block = allocate_at(turns, depth, bytes);
    black_box(&mut block).push(1);
    block
}

#[inline(never)]
fn turn_right(turns: u64, depth: u32, bytes: usize) -> Vec<u8> {
    let mut block = allocate_at(turns, depth, bytes);
    black_box(&mut block).push(2);
    block
}

/// A little of everything: the allocator's four functions, at a few hundred sizes.
pub(crate) fn churn() {
    for size in 1..200 {
        let mut grows = vec![1u8; size];
        grows.extend_from_slice(&[2; 50]);
        black_box((grows, vec![0u8; size * 10], Box::new(size)));
    }
}

/// Threads that allocate under stacks that never repeat, until it is dropped.
#[derive(Debug)]
pub(crate) struct Load {
    done: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    pub(crate) fn start(n_threads: u64) -> Self {
        Self::of_depth(n_threads, 14)
    }

    /// The same with two to the power of `depth` stacks and no more.
    pub(crate) fn of_depth(n_threads: u64, depth: u32) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let begin = |seed| {
            let done = Arc::clone(&done);
            thread::spawn(move || {
                let mut paths = Paths::new(seed);
                while !done.load(Relaxed) {
                    black_box(allocate_at(paths.next(), depth, 64));
                }
            })
        };
        let threads = (1..=n_threads).map(begin).collect();
        Self { done, threads }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.done.store(true, Relaxed);
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}
