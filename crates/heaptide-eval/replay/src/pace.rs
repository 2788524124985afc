//! How requests come and when snapshots are taken.

use std::f64::consts::TAU;
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;

/// Requests between two snapshots, on average.
const MEAN: f64 = 150.0;
/// Where the clock sets the pace.
const INTERVAL: Duration = Duration::from_millis(25);

/// Who takes the snapshots.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// The program, after so many requests.
    Call,
    /// The recorder, at even intervals. Requests come as the time of the day has it.
    Clock,
}

/// The requests of every epoch, and the snapshots at the end of it.
pub(crate) struct Pace {
    pub(crate) by: By,
    requests: Vec<u32>,
    snapshots: Vec<u32>,
}

impl Pace {
    /// One of four paces, by the seed.
    pub(crate) fn new(seed: u64, epochs: u32, rng: &mut Rng) -> Self {
        let by = if seed % 4 < 2 { By::Call } else { By::Clock };
        let load: fn(f64, &mut Rng) -> f64 = match seed % 4 {
            0 => |_, _| 1.0,
            1 => |_, rng| 0.5 + rng.f64(),
            2 => |share, rng| 1.0 + 0.6 * (3.0 * TAU * share).sin() + 0.1 * rng.f64(),
            // A morning: nobody, then everybody.
            _ => |share, _| 0.3 + 1.2 / (1.0 + (-12.0 * (share - 0.45)).exp()),
        };
        let share = |epoch: u32| f64::from(epoch) / f64::from(epochs);
        let requests = (0..epochs).map(|epoch| (MEAN * load(share(epoch), rng)) as u32).collect();
        // Every other pace has snapshots that never came, and some that came twice.
        let count = |epoch: u32| match (by, seed / 4 % 2, epoch % 11) {
            (By::Clock, ..) | (By::Call, 1, 4) => 0,
            (By::Call, 1, 9) => 2,
            _ => 1,
        };
        Self { by, requests, snapshots: (0..epochs).map(count).collect() }
    }

    /// How often the recorder takes a snapshot of itself.
    pub(crate) fn interval(&self) -> Duration {
        match self.by {
            By::Call => Duration::ZERO,
            By::Clock => INTERVAL,
        }
    }

    /// Waits until it is time for the next epoch.
    pub(crate) fn wait(&self, since: Instant, epoch: u32) {
        if self.by == By::Clock {
            thread::sleep((INTERVAL * (epoch + 1)).saturating_sub(since.elapsed()));
        }
    }

    pub(crate) fn requests(&self, epoch: u32) -> u32 {
        self.requests[epoch as usize]
    }

    pub(crate) fn snapshots(&self, epoch: u32) -> u32 {
        self.snapshots[epoch as usize]
    }

    pub(crate) fn all_requests(&self) -> f64 {
        self.requests.iter().map(|&requests| f64::from(requests)).sum()
    }
}
