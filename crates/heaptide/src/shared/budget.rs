//! The budget of detail: how much memory the threads may take together for what makes recording quick
//! and exact per thread, and what they took.
//!
//! Detail is what a recording can do without: stacks that a thread remembers, counters that are a thread's
//! own. Whoever wants memory for it asks here first, and does without if it is refused. Call sites are
//! no detail; their number is bounded by the table. Nothing is given back: what no longer serves one
//! thread serves the next.

#![forbid(unsafe_code)]

use crate::sync::AtomicU64;
use crate::sync::Ordering::Relaxed;

/// What the threads may take together where nobody says otherwise.
pub(crate) const DEFAULT_BYTES: u64 = 48 << 20;

/// The budget. One per process ([`crate::globals::BUDGET`]); tests make their own.
#[derive(Debug)]
pub(crate) struct Budget {
    limit_bytes: AtomicU64,
    taken_bytes: AtomicU64,
    n_refused: AtomicU64,
}

impl Budget {
    #[cfg(not(loom))]
    pub(crate) const fn new(limit_bytes: u64) -> Self {
        Self {
            limit_bytes: AtomicU64::new(limit_bytes),
            taken_bytes: AtomicU64::new(0),
            n_refused: AtomicU64::new(0),
        }
    }

    #[cfg(loom)]
    pub(crate) fn new(limit_bytes: u64) -> Self {
        Self {
            limit_bytes: AtomicU64::new(limit_bytes),
            taken_bytes: AtomicU64::new(0),
            n_refused: AtomicU64::new(0),
        }
    }

    /// Changes the limit. What was taken stays taken, also beyond a lower one.
    pub(crate) fn set_limit(&self, bytes: u64) {
        self.limit_bytes.store(bytes, Relaxed);
    }

    pub(crate) fn limit_bytes(&self) -> u64 {
        self.limit_bytes.load(Relaxed)
    }

    /// Takes so many bytes, all of them or none; false, and counted, if they are beyond the limit.
    pub(crate) fn take(&self, bytes: u64) -> bool {
        self.take_within(self.limit_bytes(), bytes)
    }

    /// The same for stacks that a thread remembers, which may take all but a quarter: where stacks have no
    /// end, what they leave is all that there is for counters, and these serve whatever is allocated.
    pub(crate) fn take_for_stacks(&self, bytes: u64) -> bool {
        let limit = self.limit_bytes();
        self.take_within(limit - limit / 4, bytes)
    }

    fn take_within(&self, limit: u64, bytes: u64) -> bool {
        let within = |taken: u64| taken.checked_add(bytes).filter(|now| *now <= limit);
        let taken = self.taken_bytes.fetch_update(Relaxed, Relaxed, within).is_ok();
        if !taken {
            self.n_refused.fetch_add(1, Relaxed);
        }
        taken
    }

    pub(crate) fn taken_bytes(&self) -> u64 {
        self.taken_bytes.load(Relaxed)
    }

    /// How often it was met: requests that were refused, over the process's life.
    pub(crate) fn n_refused(&self) -> u64 {
        self.n_refused.load(Relaxed)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_the_limit_is_refused_and_counted() {
        let budget = Budget::new(100);
        for (bytes, is_taken, taken_bytes, n_refused) in [
            (60, true, 60, 0),
            (41, false, 60, 1),
            (u64::MAX, false, 60, 2),
            (40, true, 100, 2),
            (1, false, 100, 3),
            (0, true, 100, 3),
        ] {
            assert_eq!(budget.take(bytes), is_taken, "{bytes}");
            assert_eq!((budget.taken_bytes(), budget.n_refused()), (taken_bytes, n_refused));
        }
        assert!(!budget.take_for_stacks(1), "beyond three quarters");
        budget.set_limit(50);
        assert!(!budget.take(1), "beyond the new limit already");
        budget.set_limit(101);
        assert!(budget.take(1));
    }

    #[test]
    fn stacks_leave_a_quarter_to_counters() {
        let budget = Budget::new(100);
        assert!(budget.take_for_stacks(75));
        assert!(!budget.take_for_stacks(1));
        assert!(budget.take(25));
        assert!(!budget.take(1));
    }
}
