//! The births and deaths of one site by birth bucket, summed over threads.
//!
//! One set of sums serves all sites of a snapshot: a site has few buckets in use, so only those are
//! cleared between one site and the next.

#![forbid(unsafe_code)]

use heaptide_format::{BUCKETS, Bucket, Cohort};

/// What one bucket, or a whole site, adds up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) births: u64,
    pub(crate) birth_bytes: u64,
    pub(crate) deaths: u64,
    pub(crate) death_bytes: u64,
}

impl Sum {
    pub(crate) fn live_objects(&self) -> u64 {
        self.births.saturating_sub(self.deaths)
    }

    pub(crate) fn live_bytes(&self) -> u64 {
        self.birth_bytes.saturating_sub(self.death_bytes)
    }

    fn plus(self, other: &Self) -> Self {
        Self {
            births: self.births + other.births,
            birth_bytes: self.birth_bytes + other.birth_bytes,
            deaths: self.deaths + other.deaths,
            death_bytes: self.death_bytes + other.death_bytes,
        }
    }
}

/// The sums of one site at a time.
#[derive(Debug)]
pub(crate) struct Sums {
    by_bucket: Vec<Sum>,
    /// The buckets in use.
    used: Vec<u32>,
}

impl Sums {
    pub(crate) fn new() -> Self {
        Self { by_bucket: vec![Sum::default(); BUCKETS as usize], used: Vec::new() }
    }

    pub(crate) fn clear(&mut self) {
        for bucket in self.used.drain(..) {
            self.by_bucket[bucket as usize] = Sum::default();
        }
    }

    /// Adds what one thread counted in one bucket, which is not nothing.
    #[inline]
    pub(crate) fn add(&mut self, bucket: Bucket, counted: Sum) {
        let Some(sum) = self.by_bucket.get_mut(bucket.0 as usize) else { return };
        if *sum == Sum::default() {
            self.used.push(bucket.0);
        }
        *sum = sum.plus(&counted);
    }

    pub(crate) fn total(&self) -> Sum {
        let sums = self.used.iter().map(|&bucket| &self.by_bucket[bucket as usize]);
        sums.fold(Sum::default(), Sum::plus)
    }

    /// What is alive, by the epoch of its birth.
    pub(crate) fn cohorts(&mut self) -> Vec<Cohort> {
        self.used.sort_unstable();
        let sums =
            self.used.iter().map(|&bucket| (Bucket(bucket), &self.by_bucket[bucket as usize]));
        // A block on its way out may have its end counted before its bytes: all live bytes are
        // shown.
        sums.filter(|(_, sum)| sum.live_objects() > 0 || sum.live_bytes() > 0)
            .map(|(bucket, sum)| Cohort(bucket.first_epoch(), sum.live_objects(), sum.live_bytes()))
            .collect()
    }
}
