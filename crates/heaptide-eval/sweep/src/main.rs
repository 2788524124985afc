//! Containers with a known verdict, played under the shim by many seeds.
//!
//! `heaptide-sweep` lists what it can play: a line each of `healthy`, `leak` or `open` (what a run
//! cannot tell from a leak), and a name. `heaptide-sweep NAME SEED SNAPSHOTS FILE` plays one and
//! records it. The program takes its snapshots itself, after as much work as it likes, so a
//! recording does not depend on how busy the machine was. The seed chooses how large everything
//! is.

#![forbid(unsafe_code)]
#![allow(clippy::vec_box, reason = "a block for each value is what is to be seen")]

mod caches;
mod crowd;
mod generator;
mod growing;
mod list;
mod pools;
mod tables;

use std::env;
use std::error::Error;
use std::path::Path;

use fastrand::Rng;

use generator::{Generator, Now, Run};
use list::GENERATORS;

#[global_allocator]
static HEAP: heaptide::Heaptide = heaptide::Heaptide::new();

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {
            GENERATORS.iter().for_each(|it| println!("{}\t{}", it.label.word(), it.name));
            Ok(())
        }
        [name, seed, snapshots, recording] => {
            let generator = GENERATORS.iter().find(|it| it.name == name);
            let generator = generator.ok_or_else(|| format!("nothing is called `{name}`"))?;
            play(generator, seed.parse()?, snapshots.parse()?, Path::new(recording))
        }
        _ => Err("usage: heaptide-sweep [NAME SEED SNAPSHOTS FILE]".into()),
    }
}

fn play(
    generator: &Generator,
    seed: u64,
    n_snapshots: u32,
    recording: &Path,
) -> Result<(), Box<dyn Error>> {
    let mut rng = Rng::with_seed(seed);
    let run = Run::new(n_snapshots, &mut rng);
    let recorder = heaptide::Recorder::builder().output(recording).start()?;
    let mut played = (generator.start)(&run, &mut rng);
    let mut request = 0;
    for &requests in &run.requests {
        for _ in 0..requests {
            played.serve(&Now { request, share: request as f64 / run.all as f64 }, &mut rng);
            request += 1;
        }
        heaptide::work("requests", requests);
        recorder.snapshot()?;
    }
    recorder.finish()?;
    Ok(())
}
