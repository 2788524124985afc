//! Which birth epochs are counted together.
//!
//! A site keeps one counter cell per bucket. The rule is a fixed function of the epoch's number,
//! so no count ever moves under the thread that writes it: the first 64 epochs have a bucket each;
//! after that every doubling of the run's length is split into 32 buckets. A bucket is therefore
//! never wider than a thirty-second of the age of the recording when its first block was born,
//! and a site needs at most [`BUCKETS`] cells whatever the run's length.

use crate::ids::Epoch;

/// Epochs with a bucket each, from the first on: a run of the usual 40 to 60 snapshots is kept exactly.
const EXACT: u32 = 64;
/// Buckets per doubling of the run's length: a bucket is at most 1/32, three per cent, of the age of
/// the recording, which is finer than any share of the run that the verdict asks about.
const PER_DOUBLING: u32 = 32;
/// 64 · 2^14 = 2^20 epochs: a snapshot each second for twelve days, each 5 s for two months.
const DOUBLINGS: u32 = 14;

/// How many buckets there are: enough for 2^20 epochs; later epochs share the last bucket.
pub const BUCKETS: u32 = EXACT + PER_DOUBLING * DOUBLINGS;

/// A span of birth epochs that share one counter cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket(pub u32);

impl Bucket {
    /// The bucket that counts blocks born in `epoch`.
    pub fn of(epoch: Epoch) -> Self {
        let epoch = epoch.0;
        if epoch < EXACT {
            return Self(epoch);
        }
        let doubling = epoch.ilog2() - EXACT.ilog2();
        if doubling >= DOUBLINGS {
            return Self(BUCKETS - 1);
        }
        let start = EXACT << doubling;
        Self(EXACT + PER_DOUBLING * doubling + (epoch - start) / Self::width(doubling))
    }

    /// The first epoch of this bucket: the number that stands in a recording's cohorts.
    pub fn first_epoch(self) -> Epoch {
        if self.0 < EXACT {
            return Epoch(self.0);
        }
        let (doubling, step) = self.place();
        Epoch((EXACT << doubling) + step * Self::width(doubling))
    }

    /// The last epoch of this bucket ([`u32::MAX`] for the last bucket).
    pub fn last_epoch(self) -> Epoch {
        if self.0 >= BUCKETS - 1 {
            return Epoch(u32::MAX);
        }
        Epoch(Self(self.0 + 1).first_epoch().0 - 1)
    }

    fn width(doubling: u32) -> u32 {
        (EXACT << doubling) / PER_DOUBLING
    }

    fn place(self) -> (u32, u32) {
        let past = self.0.min(BUCKETS - 1) - EXACT;
        (past / PER_DOUBLING, past % PER_DOUBLING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_epoch_lies_in_its_bucket_and_buckets_are_in_order() {
        let mut last = Bucket(0);
        for epoch in (0..1 << 21).map(Epoch) {
            let bucket = Bucket::of(epoch);
            assert!(bucket.0 < BUCKETS);
            assert!(bucket.first_epoch() <= epoch && epoch <= bucket.last_epoch(), "{epoch:?}");
            assert!(bucket == last || bucket.0 == last.0 + 1);
            last = bucket;
        }
        assert_eq!(last.0, BUCKETS - 1);
    }

    #[test]
    fn a_bucket_is_at_most_a_thirty_second_of_the_run_so_far() {
        for bucket in (64..BUCKETS - 1).map(Bucket) {
            let width = bucket.last_epoch().0 - bucket.first_epoch().0 + 1;
            assert!(width * 32 <= bucket.first_epoch().0);
        }
    }
}
