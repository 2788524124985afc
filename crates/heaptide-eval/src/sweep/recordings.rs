//! The recordings of a sweep: played once, named, and kept.

use std::fs::{self, File};
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, bail};
use heaptide_analyze::load;
use heaptide_analyze::symbols::{self, ElfResolver};
use heaptide_format::Line;

use ci::program::{cargo, output, target_dir};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    Healthy,
    Leak,
    /// Healthy, and until its bound shows the same as a leak.
    Open,
}

/// A program as the package lists it.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) name: String,
    pub(super) label: Label,
}

/// Builds the programs and lists them.
pub(super) fn programs() -> Result<Vec<Program>> {
    output(&mut cargo(&["build", "--quiet", "--locked", "--package", "heaptide-sweep"]))?;
    let list = output(&mut Command::new(executable()))?;
    list.lines().map(program).collect()
}

fn program(line: &str) -> Result<Program> {
    let (label, name) = line.split_once('\t').with_context(|| format!("what is `{line}`?"))?;
    let label = match label {
        "healthy" => Label::Healthy,
        "leak" => Label::Leak,
        "open" => Label::Open,
        other => bail!("what is `{other}`?"),
    };
    Ok(Program { name: name.to_owned(), label })
}

fn executable() -> PathBuf {
    target_dir("debug/heaptide-sweep")
}

/// Where a recording is kept.
pub(super) fn path(program: &Program, n_snapshots: usize, seed: u64) -> PathBuf {
    target_dir("sweep").join(format!("{}/{n_snapshots}-{seed}.jsonl", program.name))
}

/// Plays what has not been played yet, or everything again.
pub(super) fn record(
    programs: &[Program],
    seeds: Range<u64>,
    n_snapshots: usize,
    again: bool,
) -> Result<()> {
    let all = programs.iter().flat_map(|it| seeds.clone().map(move |seed| (it, seed)));
    let missing: Vec<(&Program, u64)> =
        all.filter(|(it, seed)| again || !path(it, n_snapshots, *seed).exists()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    println!("{} runs of {n_snapshots} snapshots are played", missing.len());
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let play = |tasks: &[(&Program, u64)]| -> Result<()> {
        let mut names = ElfResolver::new(Vec::new());
        tasks.iter().try_for_each(|(program, seed)| {
            play(program, *seed, n_snapshots, &mut names)
                .with_context(|| format!("{}, seed {seed}", program.name))
        })
    };
    thread::scope(|scope| {
        let share = missing.len().div_ceil(workers);
        let spawn = |tasks| scope.spawn(move || play(tasks));
        let threads: Vec<_> = missing.chunks(share).map(spawn).collect();
        threads.into_iter().try_for_each(|it| it.join().expect("a player panicked"))
    })
}

/// Plays a program and puts its names into its recording, so that judging it opens nothing else.
fn play(program: &Program, seed: u64, n: usize, names: &mut ElfResolver) -> Result<()> {
    let kept = path(program, n, seed);
    let played = kept.with_extension("part.jsonl");
    if let Some(directory) = kept.parent() {
        fs::create_dir_all(directory)?;
    }
    for stale in [&kept, &played].into_iter().filter(|file| file.exists()) {
        fs::remove_file(stale)?;
    }
    let args = [program.name.clone(), seed.to_string(), n.to_string()];
    output(Command::new(executable()).args(args).arg(&played))?;
    append_names(&played, names)?;
    Ok(fs::rename(played, kept)?)
}

fn append_names(recording: &Path, resolver: &mut ElfResolver) -> Result<()> {
    let mut bytes = Vec::new();
    for run in load::load(&[recording.to_owned()])?.recordings {
        let (lines, _) = symbols::names_for(&run, resolver);
        lines.into_iter().for_each(|names| Line::Names(names).write_to(&mut bytes));
    }
    Ok(File::options().append(true).open(recording)?.write_all(&bytes)?)
}
