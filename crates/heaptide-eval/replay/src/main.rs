//! Programs with a known verdict, played for real under the shim.
//!
//! `heaptide-replay` lists what it can play: a line each of `healthy` or `leak`, the type to blame,
//! and a name. `heaptide-replay NAME SEED EPOCHS FILE` plays one, beside three healthy ones in the
//! same process, and records it. The seed chooses how large everything is and how the requests
//! come.

#![forbid(unsafe_code)]
#![allow(clippy::vec_box, reason = "a block for each value is what is to be seen")]

mod caches;
mod containers;
mod leaks;
mod list;
mod pace;
mod passing;
mod program;

use std::env;
use std::error::Error;
use std::path::Path;
use std::time::Instant;

use fastrand::Rng;

use list::{Label, PROGRAMS, Played};
use pace::Pace;
use program::{Now, Run};

#[global_allocator]
static HEAP: heaptide::Heaptide = heaptide::Heaptide::new();

/// Healthy programs beside the one that was asked for.
const COMPANY: usize = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {
            list();
            Ok(())
        }
        [name, seed, epochs, recording] => {
            let played = PROGRAMS.iter().find(|played| played.name == name);
            let played = played.ok_or_else(|| format!("no program is called `{name}`"))?;
            play(played, seed.parse()?, epochs.parse()?, Path::new(recording))
        }
        _ => Err("usage: heaptide-replay [NAME SEED EPOCHS FILE]".into()),
    }
}

fn list() {
    for Played { label, blamed, name, .. } in PROGRAMS {
        println!("{}\t{}\t{name}", label.word(), blamed());
    }
}

fn play(played: &Played, seed: u64, epochs: u32, recording: &Path) -> Result<(), Box<dyn Error>> {
    let mut rng = Rng::with_seed(seed);
    let pace = Pace::new(seed, epochs, &mut rng);
    let recorder = heaptide::Recorder::builder().output(recording).interval(pace.interval());
    let recorder = recorder.start()?;
    let run = Run { epochs: f64::from(epochs), requests: pace.all_requests() };
    let company = company(played, &mut rng);
    let mut programs: Vec<_> =
        [played].into_iter().chain(company).map(|it| (it.start)(&run, &mut rng)).collect();
    let (since, mut request) = (Instant::now(), 0);
    for epoch in 0..epochs {
        let requests = pace.requests(epoch);
        for k in 0..requests {
            let time = f64::from(epoch) + f64::from(k) / f64::from(requests);
            let now = Now { share: time / run.epochs, time, request };
            for program in &mut programs {
                program.serve(&now, &mut rng);
            }
            heaptide::work("requests", 1);
            request += 1;
        }
        // What nothing depends on is counted too.
        heaptide::work("packets", rng.u64(..4000));
        for _ in 0..pace.snapshots(epoch) {
            recorder.snapshot()?;
        }
        pace.wait(since, epoch);
    }
    recorder.finish()?;
    Ok(())
}

fn company(played: &Played, rng: &mut Rng) -> Vec<&'static Played> {
    let healthy = |it: &&Played| it.label == Label::Healthy && it.name != played.name;
    let mut others: Vec<&Played> = PROGRAMS.iter().filter(healthy).collect();
    rng.shuffle(&mut others);
    others.truncate(COMPANY);
    others
}
