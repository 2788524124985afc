//! How many there are at once: the load that tables and pools are sized for.

use std::ops::Range;

use fastrand::Rng;

/// A random walk between two bounds.
pub(crate) struct Walk {
    wanted: i64,
    least: i64,
    most: i64,
    stride: i64,
    /// Requests between two strides.
    every: u64,
}

impl Walk {
    pub(crate) fn new(rng: &mut Rng) -> Self {
        Self::of_range(5..80, rng)
    }

    /// The upper bound is so many times the lower one.
    fn of_range(times: Range<i64>, rng: &mut Rng) -> Self {
        let least = rng.i64(10..200);
        let most = least * rng.i64(times);
        // Between a crawl, which ends the run before the walk has been anywhere, and a stride that
        // crosses it all.
        let stride = ((most as f64 * 0.004 * 12.0_f64.powf(rng.f64())) as i64).max(2);
        Self { wanted: least, least, most, stride, every: rng.u64(2..40) }
    }

    /// How many there should be now.
    pub(crate) fn wanted(&mut self, request: u64, rng: &mut Rng) -> usize {
        if request.is_multiple_of(self.every) {
            self.wanted += rng.i64(-self.stride..=self.stride);
            self.wanted = self.wanted.clamp(self.least, self.most);
        }
        self.wanted as usize
    }
}

/// A population that is kept at its size: each request brings some or sees some leave.
pub(crate) struct Crowd {
    walk: Walk,
    /// Arrivals or departures per request, as many as keep up with the walk.
    moves: usize,
    next: u64,
    present: Vec<u64>,
}

/// What one move of a crowd is.
pub(crate) enum Move {
    Arrives(u64),
    Leaves(u64),
}

impl Crowd {
    pub(crate) fn new(rng: &mut Rng) -> Self {
        Self::of(Walk::new(rng))
    }

    /// One that hardly varies.
    pub(crate) fn steady(rng: &mut Rng) -> Self {
        Self::of(Walk::of_range(2..4, rng))
    }

    fn of(walk: Walk) -> Self {
        let moves = (walk.stride as u64 * 4 / walk.every).clamp(4, 60) as usize;
        Self { walk, moves, next: 0, present: Vec::new() }
    }

    /// The moves of one request.
    pub(crate) fn moves(&mut self, request: u64, rng: &mut Rng, mut each: impl FnMut(Move)) {
        let wanted = self.walk.wanted(request, rng);
        for _ in 0..self.moves {
            if self.present.len() < wanted {
                self.present.push(self.next);
                each(Move::Arrives(self.next));
                self.next += 1;
            } else {
                let at = rng.usize(..self.present.len());
                each(Move::Leaves(self.present.swap_remove(at)));
            }
        }
    }
}

/// Grows evenly until a share of the run, and then stays, give or take a little.
pub(crate) struct Ramp {
    full_at: f64,
    most: f64,
}

impl Ramp {
    pub(crate) fn new(rng: &mut Rng) -> Self {
        Self { full_at: 0.1 + 0.8 * rng.f64(), most: 60.0 * 15.0_f64.powf(rng.f64()) }
    }

    pub(crate) fn wanted(&self, share: f64, rng: &mut Rng) -> usize {
        let level = self.most * (share / self.full_at).min(1.0);
        (level * (0.9 + 0.1 * rng.f64())).ceil() as usize
    }
}
