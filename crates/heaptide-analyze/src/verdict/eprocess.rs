//! Evidence as bets: honest however often one looks.
//!
//! Under "no leak" an old population is as likely to fall as to rise. A gambler who stakes a share
//! λ of the purse on "rises" at each step then has a purse that is expected never to grow, so by
//! Ville's inequality it ever reaches 1/α with probability at most α. The mean over several λ is
//! such a purse too. (Ramdas et al., "Game-theoretic statistics and safe anytime-valid inference",
//! 2023.)

use std::cmp::Ordering;

const STAKES: [f64; 5] = [0.25, 0.5, 0.75, 0.9, 0.98];

/// The purse after each bet; starts at 1.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Purse {
    purses: [f64; STAKES.len()],
}

impl Purse {
    pub(super) fn new() -> Self {
        Self { purses: [1.0; STAKES.len()] }
    }

    /// One step of the population: up, down, or none (which decides nothing).
    pub(super) fn bet(&mut self, step: Ordering) {
        let sign = match step {
            Ordering::Greater => 1.0,
            Ordering::Equal => return,
            Ordering::Less => -1.0,
        };
        for (purse, stake) in self.purses.iter_mut().zip(STAKES) {
            // Capped so that the longest run stays finite.
            *purse = (*purse * (1.0 + sign * stake)).min(1e300);
        }
    }

    pub(super) fn value(&self) -> f64 {
        self.purses.iter().map(|purse| purse / STAKES.len() as f64).sum()
    }

    /// How many more steps up take the purse to `target`.
    pub(super) fn ups_to(&self, target: f64) -> u32 {
        let mut purse = self.clone();
        let mut ups = 0;
        while purse.value() < target && ups < 10_000 {
            purse.bet(Ordering::Greater);
            ups += 1;
        }
        ups
    }
}

/// The evidence that a population which took these steps does not rise by chance.
pub fn e_value(steps: &[Ordering]) -> f64 {
    let mut purse = Purse::new();
    steps.iter().for_each(|&step| purse.bet(step));
    purse.value()
}

/// The q-value of each e-value: the smallest α at which the e-BH procedure would reject it. The
/// false discovery rate is at most α whatever the sites' dependence (Wang & Ramdas, "False
/// discovery rate control with e-values", 2022).
pub fn e_bh(e_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..e_values.len()).collect();
    order.sort_by(|&a, &b| e_values[b].total_cmp(&e_values[a]).then(a.cmp(&b)));
    let mut q_values = vec![1.0; e_values.len()];
    let mut least = 1.0_f64;
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
        let mut purse = Purse::new();
        assert_eq!(purse.ups_to(100.0), 8);
        (0..8).for_each(|_| purse.bet(Ordering::Greater));
        assert!(purse.value() >= 100.0);
        purse.bet(Ordering::Less);
        assert!(purse.value() < 100.0);
    }

    #[test]
    fn q_values_follow_the_ranks() {
        // m = 4: 4/(1·400), 4/(2·100), 4/(3·1), 4/(4·1)
        assert_eq!(e_bh(&[1.0, 400.0, 100.0, 1.0]), [1.0, 0.01, 0.02, 1.0]);
        assert_eq!(e_bh(&[]), [0.0; 0]);
    }
}
