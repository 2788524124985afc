//! Evidence as bets: honest however often one looks.
//!
//! Under "no leak" an old population is as likely to fall as to rise. A gambler who stakes a share
//! λ of the wealth on "rises" at each step then has a wealth that is expected never to grow, so by
//! Ville's inequality it ever reaches 1/α with probability at most α. The mean over several λ is
//! such a wealth too. (Ramdas et al., "Game-theoretic statistics and safe anytime-valid inference",
//! 2023.)

use std::cmp::Ordering;

/// The shares that are staked side by side, because nobody knows the best one beforehand. It is
/// twice the share of steps up, less one: a quarter is best where five steps in eight are up, .98
/// where all but one in a hundred are. None is 1, so that one step down does not end the game.
const STAKES: [f64; 5] = [0.25, 0.5, 0.75, 0.9, 0.98];
/// Wealth is held to this, so that the mean of all stakes stays finite in the longest run.
const MOST_WEALTH: f64 = 1e300;
/// After this many steps nobody asks any more how many are missing.
const MOST_STEPS: u32 = 10_000;

/// The wealth under each stake after the bets so far; it starts at 1.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct EProcess {
    wealth: [f64; STAKES.len()],
}

impl EProcess {
    pub(super) fn new() -> Self {
        Self { wealth: [1.0; STAKES.len()] }
    }

    /// One step of the population: up, down, or none (which decides nothing).
    pub(super) fn bet(&mut self, step: Ordering) {
        let sign = match step {
            Ordering::Greater => 1.0,
            Ordering::Equal => return,
            Ordering::Less => -1.0,
        };
        for (wealth, stake) in self.wealth.iter_mut().zip(STAKES) {
            *wealth = (*wealth * (1.0 + sign * stake)).min(MOST_WEALTH);
        }
    }

    /// The e-value so far.
    pub(super) fn value(&self) -> f64 {
        self.wealth.iter().map(|wealth| wealth / STAKES.len() as f64).sum()
    }

    /// How many more steps up take the e-value to `target`.
    pub(super) fn ups_to(&self, target: f64) -> u32 {
        let mut ahead = self.clone();
        let mut ups = 0;
        while ahead.value() < target && ups < MOST_STEPS {
            ahead.bet(Ordering::Greater);
            ups += 1;
        }
        ups
    }
}

/// The evidence that a population which took these steps does not rise by chance.
pub fn e_value(steps: &[Ordering]) -> f64 {
    let mut e_process = EProcess::new();
    steps.iter().for_each(|&step| e_process.bet(step));
    e_process.value()
}

/// The q-value of each e-value: the smallest α at which the e-BH procedure would reject it. The
/// false discovery rate is at most α whatever the sites' dependence (Wang & Ramdas, "False
/// discovery rate control with e-values", 2022).
pub(super) fn e_bh(e_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..e_values.len()).collect();
    order.sort_by(|&a, &b| e_values[b].total_cmp(&e_values[a]).then(a.cmp(&b)));
    let mut q_values = vec![1.0; e_values.len()];
    let mut least = 1.0_f64;
    // From the poorest on: a site is rejected with all that rank before it, so its q-value is at
    // most that of the next.
    for (rank, &site) in order.iter().enumerate().rev() {
        let bound = e_values.len() as f64 / ((rank + 1) as f64 * e_values[site]);
        least = least.min(if bound.is_finite() { bound } else { 1.0 });
        q_values[site] = least;
    }
    q_values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_clean_steps_are_worth_a_hundred() {
        let mut e_process = EProcess::new();
        assert_eq!(e_process.ups_to(100.0), 8);
        (0..8).for_each(|_| e_process.bet(Ordering::Greater));
        assert!(e_process.value() >= 100.0);
        e_process.bet(Ordering::Less);
        assert!(e_process.value() < 100.0);
    }

    /// What a step is worth can be worked out by hand: the mean of 1 ± λ.
    #[test]
    fn steps_are_worth_what_they_are_worth() {
        use Ordering::{Equal, Greater, Less};
        let mean = |of: fn(f64) -> f64| STAKES.into_iter().map(of).sum::<f64>() / 5.0;
        for (steps, worth) in [
            (&[][..], 1.0),
            (&[Equal, Equal], 1.0),
            (&[Greater], mean(|stake| 1.0 + stake)),
            (&[Less], mean(|stake| 1.0 - stake)),
            (&[Greater, Less], mean(|stake| 1.0 - stake * stake)),
            (&[Less, Equal, Greater], mean(|stake| 1.0 - stake * stake)),
        ] {
            assert!((e_value(steps) - worth).abs() < 1e-12, "{steps:?}: {}", e_value(steps));
        }
    }

    /// Nobody wins on average: over all ways in which `n` steps can go, the mean is 1.
    #[test]
    fn chance_wins_nothing() {
        for n in [1, 2, 5, 10] {
            let step = |ways: u32, k: u32| match ways >> k & 1 {
                1 => Ordering::Greater,
                _ => Ordering::Less,
            };
            let of = |ways| e_value(&(0..n).map(|k| step(ways, k)).collect::<Vec<_>>());
            let mean = (0..1 << n).map(of).sum::<f64>() / f64::from(1 << n);
            assert!((mean - 1.0).abs() < 1e-9, "{n} steps: {mean}");
        }
    }

    #[test]
    fn the_longest_run_stays_finite() {
        let steps = vec![Ordering::Greater; 100_000];
        assert!(e_value(&steps).is_finite());
        let mut sunk = EProcess::new();
        (0..100_000).for_each(|_| sunk.bet(Ordering::Less));
        assert_eq!(sunk.ups_to(100.0), MOST_STEPS, "it is never asked for more");
    }

    #[test]
    fn q_values_follow_the_ranks() {
        // m = 4: 4/(1·400), 4/(2·100), 4/(3·1), 4/(4·1)
        assert_eq!(e_bh(&[1.0, 400.0, 100.0, 1.0]), [1.0, 0.01, 0.02, 1.0]);
        // The better of two takes the q-value of the worse if that is smaller: 2/(1·10) > 2/(2·9).
        assert_eq!(e_bh(&[10.0, 9.0]), [2.0 / 18.0, 2.0 / 18.0]);
        assert_eq!(e_bh(&[0.0, 0.0]), [1.0, 1.0]);
        assert_eq!(e_bh(&[]), [0.0; 0]);
    }
}
