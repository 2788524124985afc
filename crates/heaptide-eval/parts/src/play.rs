//! `heaptide-parts` lists what it can play, a line each: what of it grows, and its name.
//! `heaptide-parts NAME SEED SECONDS` plays one. It is recorded as services are, by the environment, so that
//! the processes it forks are too: `HEAPTIDE_OUT=FILE HEAPTIDE_INTERVAL=250ms` for 48 snapshots of 12 s.
//!
//! What a part holds is read from the kernel at most a thousandth of the time, so these programs keep to
//! the clock: each request takes about half a millisecond, most of it asleep, as in a service.

#![forbid(unsafe_code)]

use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::cost;
use crate::program::{Now, Program};
use crate::programs::PROGRAMS;

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {
            PROGRAMS.iter().for_each(|it| println!("{}\t{}", it.grows.join(","), it.name));
            Ok(())
        }
        ["cost", folder] => cost::print(Path::new(folder)),
        [name, seed, seconds] => {
            let program = PROGRAMS.iter().find(|it| it.name == name);
            let program = program.ok_or_else(|| format!("nothing is called `{name}`"))?;
            let seconds = Duration::from_secs_f64(seconds.parse()?);
            play(program, &mut Rng::with_seed(seed.parse()?), seconds);
            Ok(())
        }
        _ => Err("usage: heaptide-parts [cost FOLDER | NAME SEED SECONDS]".into()),
    }
}

fn play(program: &Program, rng: &mut Rng, lasts: Duration) {
    let mut played = (program.start)(rng);
    // How busy it is differs from run to run.
    let pause = Duration::from_micros(rng.u64(200..800));
    let start = Instant::now();
    for request in 0.. {
        let share = start.elapsed().as_secs_f64() / lasts.as_secs_f64();
        if share >= 1.0 {
            break;
        }
        black_box(vec![request as u8; rng.usize(500..4000)]);
        played.serve(&Now { request, share }, rng);
        heaptide::work("requests", 1);
        std::thread::sleep(pause);
    }
    black_box(&played);
    // The process ends as it is: what it takes apart is not looked at.
    std::mem::forget(played);
}
