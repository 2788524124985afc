//! Work spread over threads, its results taken in order.
//!
//! Each thread makes every n-th result and may be one ahead, so that memory is bounded by the
//! number of threads, and whoever takes the results cannot tell how many threads made them.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::error::Error;

/// How many threads read: one unless more are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threads(pub NonZeroUsize);

impl Default for Threads {
    fn default() -> Self {
        Self(NonZeroUsize::MIN)
    }
}

/// Makes a result for each index, on so many threads, and hands it to `take`, in order.
///
/// Each thread has an `S` of its own to work with. The first error ends it all.
pub(crate) fn in_order<S, R>(
    indices: Range<usize>,
    threads: Threads,
    make: impl Fn(&mut S, usize) -> Result<R, Error> + Sync,
    mut take: impl FnMut(R),
) -> Result<(), Error>
where
    S: Default,
    R: Send,
{
    let n_threads = threads.0.get().min(indices.len());
    if n_threads <= 1 {
        let mut state = S::default();
        return indices.into_iter().try_for_each(|index| make(&mut state, index).map(&mut take));
    }
    thread::scope(|scope| {
        let mut made = Vec::with_capacity(n_threads);
        for first in indices.clone().take(n_threads) {
            let (sender, receiver) = sync_channel(0);
            let (mine, make) = ((first..indices.end).step_by(n_threads), &make);
            thread::Builder::new()
                .spawn_scoped(scope, move || make_all(mine, make, &sender))
                .map_err(|err| Error::NoThread { cause: err.to_string() })?;
            made.push(receiver);
        }
        (0..indices.len()).try_for_each(|k| next(&made[k % n_threads]).map(&mut take))
    })
}

/// Stops when nobody takes the results any more.
fn make_all<S: Default, R>(
    indices: impl Iterator<Item = usize>,
    make: impl Fn(&mut S, usize) -> Result<R, Error>,
    sender: &SyncSender<Result<R, Error>>,
) {
    let mut state = S::default();
    for index in indices {
        if sender.send(make(&mut state, index)).is_err() {
            return;
        }
    }
}

fn next<R>(made: &Receiver<Result<R, Error>>) -> Result<R, Error> {
    let lost = || Error::NoThread { cause: "a thread ended too early".into() };
    made.recv().map_err(|_| lost())?
}

#[cfg(test)]
mod tests {
    use std::sync::{Condvar, Mutex};

    use super::*;

    /// Which indices were made, and a bell that rings for each.
    struct Made {
        done: Mutex<Vec<bool>>,
        bell: Condvar,
    }

    impl Made {
        fn wait_for(&self, index: usize) {
            let done = self.done.lock().expect("no thread panicked");
            drop(self.bell.wait_while(done, |done| !done[index]).expect("no thread panicked"));
        }

        fn note(&self, index: usize) {
            self.done.lock().expect("no thread panicked")[index] = true;
            self.bell.notify_all();
        }
    }

    /// Squares up to (not including) the first index that fails. Of those that are made at once, the
    /// last is ready first: each of the others waits for the next.
    fn squares(n: usize, threads: usize, fails_at: usize) -> (Vec<usize>, bool) {
        let mut taken = Vec::new();
        let made = Made { done: Mutex::new(vec![false; n]), bell: Condvar::new() };
        let n_threads = threads.min(n);
        let make = |calls: &mut usize, index: usize| {
            *calls += 1;
            let is_last = index % n_threads == n_threads - 1 || index + 1 == n;
            // Behind a failure the next may never be made.
            if !is_last && index < fails_at {
                made.wait_for(index + 1);
            }
            made.note(index);
            match index == fails_at {
                true => Err(Error::NoThread { cause: index.to_string() }),
                false => Ok(index * index),
            }
        };
        let threads = Threads(NonZeroUsize::new(threads).expect("a number of threads"));
        let ended = in_order(0..n, threads, make, |square| taken.push(square));
        (taken, ended.is_ok())
    }

    #[test]
    fn results_come_in_order_on_any_number_of_threads() {
        for threads in [1, 2, 3, 8, 100] {
            let all: Vec<_> = (0..40).map(|index| index * index).collect();
            assert_eq!(squares(40, threads, 40), (all.clone(), true), "{threads} threads");
            assert_eq!(squares(40, threads, 23), (all[..23].to_vec(), false), "{threads} threads");
            assert_eq!(squares(0, threads, 0), (Vec::new(), true), "{threads} threads");
        }
    }
}
