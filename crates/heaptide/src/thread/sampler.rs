//! Which blocks are sampled: those in which a point of a Poisson process over the bytes asked for
//! falls, and every block of at least a period.
//!
//! Each thread counts down the bytes to its next point. A block of `s` bytes, less than the period
//! `p`, is hit with probability 1 − e^(−s/p), and then stands for 1/(1 − e^(−s/p)) blocks: so every
//! sum over sampled blocks is, on average, the sum over all. The weight is rounded up or down at
//! random, such that its mean is right: counts are then whole numbers, and what is subtracted at a
//! block's end is what was added at its birth. Blocks of a period and more would stand for 1 to
//! 1.6 blocks; taking all of them costs at most one record per period, and they are exact.
//!
//! The sum of w(w − 1) over sampled blocks has the variance of the estimate as its mean (Horvitz
//! and Thompson, JASA 47, 1952, with independent draws; rounding included, since it is a function
//! of the weight that was drawn).

#![forbid(unsafe_code)]

use core::cell::Cell;

use crate::sync::AtomicU64;
use crate::sync::Ordering::Relaxed;
use crate::thread::block;

/// The mean distance between two points, if nothing else was asked for.
pub(crate) const DEFAULT_PERIOD_BYTES: u64 = 512 << 10;
/// Above this, the sum of squares of a few thousand samples could leave 64 bits.
pub(crate) const MAX_PERIOD_BYTES: u64 = 8 << 20;

/// 2^64 divided by the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The same for the process's life.
static PERIOD_BYTES: AtomicU64 = AtomicU64::new(DEFAULT_PERIOD_BYTES);
static SEED: AtomicU64 = AtomicU64::new(0);

/// One thread's way to its next point.
#[derive(Debug)]
struct Countdown {
    /// Bytes to go; always less than a period, so that a block of a period gets below zero.
    bytes_left: Cell<i64>,
    /// And then as many more.
    bytes_beyond: Cell<i64>,
    /// State of the generator; 0 before the first draw.
    rng_state: Cell<u64>,
}

thread_local! {
    static COUNTDOWN: Countdown = const { Countdown::new() };
}

/// Settles the period, and where the randomness of this process begins. Called once, before
/// anything is sampled.
pub(crate) fn set_period(period_bytes: u64, entropy: u64) {
    PERIOD_BYTES.store(period_bytes, Relaxed);
    SEED.store(entropy, Relaxed);
}

/// In a forked child: what it draws is not what its parent draws.
pub(crate) fn reseed_after_fork(entropy: u64) {
    SEED.store(mix(SEED.load(Relaxed) ^ entropy), Relaxed);
    let _ = COUNTDOWN.try_with(|own| own.rng_state.set(0));
}

/// The mean distance between two points.
pub(crate) fn period_bytes() -> u64 {
    PERIOD_BYTES.load(Relaxed)
}

/// Counts down a block of so many bytes. False: it may be sampled, and [`draw_weight`] says.
#[inline(always)]
pub(crate) fn skip_fast(bytes: usize) -> bool {
    let left = COUNTDOWN.try_with(|own| {
        let left = own.bytes_left.get().wrapping_sub(bytes as i64);
        own.bytes_left.set(left);
        left
    });
    left.unwrap_or(0) >= 0
}

/// For a block that did not pass: for how many blocks it stands; `None` if it is not sampled.
pub(crate) fn draw_weight(bytes: usize) -> Option<u64> {
    let seed = || {
        // The recorder's thread never gets as far as to skip a block: each goes the long way, where
        // it may wait for memory.
        let draws = !block::is_recorder_thread();
        // Every thread has a stream of its own.
        draws.then(|| mix(SEED.fetch_add(GOLDEN, Relaxed)))
    };
    COUNTDOWN.try_with(|own| own.draw(bytes as u64, period_bytes(), seed)).ok()?
}

impl Countdown {
    const fn new() -> Self {
        Self { bytes_left: Cell::new(0), bytes_beyond: Cell::new(0), rng_state: Cell::new(0) }
    }

    /// `seed` is asked at the first draw; a thread without one samples nothing.
    fn draw(&self, bytes: u64, period: u64, seed: impl FnOnce() -> Option<u64>) -> Option<u64> {
        let before = if self.rng_state.get() == 0 {
            self.rng_state.set(seed()? | 1);
            self.gap(period)
        } else {
            self.bytes_left.get().wrapping_add(bytes as i64).saturating_add(self.bytes_beyond.get())
        };
        if bytes >= period {
            self.start_next(before, period);
            return Some(1);
        }
        let left = before.saturating_sub(bytes as i64);
        if left >= 0 {
            self.start_next(left, period);
            return None;
        }
        self.start_next(self.gap(period), period);
        Some(self.weight(bytes, period))
    }

    fn start_next(&self, gap: i64, period: u64) {
        let left = gap.clamp(0, period as i64 - 1);
        self.bytes_left.set(left);
        self.bytes_beyond.set(gap.saturating_sub(left).max(0));
    }

    /// Whole bytes before the next point: at least `s` with probability e^(−s/p).
    fn gap(&self, period: u64) -> i64 {
        // In (0, 1], so that the logarithm is finite.
        let uniform = 1.0 - self.uniform();
        (-uniform.ln() * period as f64) as i64
    }

    /// 1/(1 − e^(−s/p)), rounded at random.
    fn weight(&self, bytes: u64, period: u64) -> u64 {
        let exact = -1.0 / (-(bytes as f64) / period as f64).exp_m1();
        let whole = exact as u64;
        whole + u64::from(self.uniform() < exact - whole as f64)
    }

    /// In [0, 1), in steps of 2^-53.
    fn uniform(&self) -> f64 {
        let state = self.rng_state.get().wrapping_add(GOLDEN);
        // 0 means that nothing was drawn yet.
        self.rng_state.set(state.max(1));
        (mix(state) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// The output function of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
fn mix(state: u64) -> u64 {
    let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sums over sampled blocks: how many, their weights, and w(w − 1).
    #[derive(Default)]
    struct Sums {
        taken: f64,
        weight: f64,
        variance: f64,
    }

    fn sample(sizes: &[u64], period: u64, seed: u64) -> Sums {
        let own = Countdown::new();
        let mut sums = Sums::default();
        for &bytes in sizes {
            own.bytes_left.set(own.bytes_left.get() - bytes as i64);
            if own.bytes_left.get() < 0
                && let Some(weight) = own.draw(bytes, period, || Some(mix(seed)))
            {
                sums.taken += 1.0;
                sums.weight += weight as f64;
                sums.variance += (weight * (weight - 1)) as f64;
            }
        }
        sums
    }

    /// Over many threads that do the same, estimates average to the truth, and their variance is
    /// what they say it is.
    #[track_caller]
    fn check(sizes: &[u64], period: u64) {
        const THREADS: u64 = 400;
        let truth = sizes.len() as f64;
        let (mut mean, mut variance, mut said) = (0.0, 0.0, 0.0);
        for seed in 0..THREADS {
            let sums = sample(sizes, period, seed);
            mean += sums.weight / THREADS as f64;
            variance += (sums.weight - truth).powi(2) / THREADS as f64;
            said += sums.variance / THREADS as f64;
        }
        let error = (variance / THREADS as f64).sqrt();
        assert!((mean - truth).abs() <= 4.0 * error, "{mean} for {truth}, error {error}");
        if variance > 0.0 || said > 0.0 {
            // Relative error of a variance from n values: about the square root of 2/n, 7 %.
            assert!((0.7..1.4).contains(&(said / variance)), "{said} said, {variance} seen");
        }
    }

    #[test]
    fn small_blocks_are_estimated_without_bias() {
        for (bytes, period) in [(1, 16), (16, 4096), (64, 64 << 10), (1000, 16 << 10)] {
            check(&vec![bytes; 5000], period);
        }
    }

    #[test]
    fn blocks_near_the_period_are_estimated_without_bias() {
        for bytes in [300, 512, 1000, 1023] {
            check(&vec![bytes; 500], 1024);
        }
    }

    #[test]
    fn a_mixture_is_estimated_without_bias() {
        let sizes: Vec<u64> = (0..4000).map(|i| [16, 24, 5000, 100_000, 700][i % 5]).collect();
        check(&sizes, 64 << 10);
    }

    #[test]
    fn blocks_of_a_period_and_more_are_all_taken_and_stand_for_themselves() {
        for period in [1, 100, 4096] {
            let sizes: Vec<u64> = (0..100).map(|i| period + i * period / 7).collect();
            let sums = sample(&sizes, period, 1);
            assert_eq!((sums.taken, sums.weight, sums.variance), (100.0, 100.0, 0.0));
        }
    }

    #[test]
    fn large_blocks_do_not_use_up_the_small_ones_points() {
        let sizes: Vec<u64> = (0..5000).map(|i| if i % 2 == 0 { 1 << 20 } else { 100 }).collect();
        check(&sizes, 64 << 10);
    }

    #[test]
    fn threads_draw_differently_and_a_child_unlike_its_parent() {
        set_period(1024, 7);
        let gap = || {
            let own = Countdown::new();
            own.draw(1, 1 << 20, || Some(mix(SEED.fetch_add(GOLDEN, Relaxed))));
            own.bytes_left.get() + own.bytes_beyond.get()
        };
        let (a, b) = (gap(), gap());
        assert_ne!(a, b);
        set_period(1024, 7);
        reseed_after_fork(4711);
        assert_ne!(a, gap());
    }
}
