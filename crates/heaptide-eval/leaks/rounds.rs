//! The pace of every driver: forty snapshots with a known number of operations before each.
//!
//! Work is counted, not timed, so a recording says the same on a slow machine as on a fast one.

use std::{env, error::Error};

#[global_allocator]
static HEAP: heaptide::Heaptide = heaptide::Heaptide::new();

const SNAPSHOTS: i32 = 40;

pub type Outcome = Result<(), Box<dyn Error>>;

/// How many operations lie between two snapshots.
#[allow(dead_code, reason = "a driver uses one of the two")]
pub enum Pace {
    /// Always so many.
    Even(u32),
    /// So many before the first snapshot, a tenth more before each one after it. The last three
    /// quarters of the run then hold 28 times the work of the first: a container that doubles
    /// has time to do it more than four times after warm-up.
    Rising(u32),
}

impl Pace {
    fn operations(&self, round: i32) -> u32 {
        match *self {
            Self::Even(count) => count,
            Self::Rising(first) => (f64::from(first) * 1.1_f64.powi(round)) as u32,
        }
    }
}

/// Calls `operation` with 0, 1, 2, …, and records into the file named by the first argument.
pub fn drive(pace: Pace, mut operation: impl FnMut(u64)) -> Outcome {
    let recording = env::args_os().nth(1).ok_or("which file shall the recording go to?")?;
    let recorder = heaptide::Recorder::builder().output(recording).start()?;
    let mut done = 0;
    for round in 0..SNAPSHOTS {
        for _ in 0..pace.operations(round) {
            operation(done);
            heaptide::work("ops", 1);
            done += 1;
        }
        recorder.snapshot()?;
    }
    recorder.finish()?;
    Ok(())
}
