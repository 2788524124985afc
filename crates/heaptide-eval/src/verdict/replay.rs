//! Real programs with a known verdict: built with the shim, played, loaded, and judged.
//!
//! The package `heaptide-replay` holds them and lists them. They are judged from the recording as the
//! command does it, names and all, so that the *place* of a finding counts as well as its being
//! there. They are no untouched set: what channel B knows of backlogs was learnt from them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, ensure};
use heaptide_analyze::RunReport;
use heaptide_analyze::Terms;
use heaptide_analyze::finding::Finding;
use heaptide_analyze::identity::WorkspaceCrates;
use heaptide_analyze::load::{Recording, load};
use heaptide_analyze::symbols::{ElfResolver, Symbols};
use heaptide_analyze::verdict::{Class, Verdict};

use super::made_up::LENGTHS;
use super::peers::PEERS;
use super::score::Score;
use super::shapes::Label;
use crate::curve::Curve;
use ci::program::{cargo, output, target_dir};

/// How often every program is played, at each length.
const SEEDS: u64 = 3;

/// A program as the package lists it.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) name: String,
    pub(super) label: Label,
    /// The type to blame.
    blamed: String,
}

/// One program, played some times at one length.
#[derive(Clone, Debug, Default)]
pub(super) struct Replays {
    pub(super) played: u32,
    /// How often it was found, by class; no leak and no suspect is `None`.
    pub(super) leak: u32,
    pub(super) suspect: u32,
    /// How often it was the first of the findings.
    pub(super) first: u32,
}

/// All programs at one length.
#[derive(Clone, Debug, Default)]
pub(super) struct Results {
    pub(super) ours: Score,
    pub(super) peers: Vec<Score>,
    pub(super) by_program: Vec<Replays>,
    /// Sites that were judged, whosever they were.
    pub(super) sites: usize,
}

/// One replay, judged.
struct Judged {
    program: usize,
    seed: u64,
    /// Class and place among the findings, if it is one of them.
    found: Option<(Class, usize)>,
    /// Leaks found where there is none.
    alarms: Vec<String>,
    /// Programs in the process, and which of the peers' rules flag them.
    flags: Vec<(usize, Vec<bool>)>,
    sites: usize,
}

/// Builds the programs and plays each of them.
pub(super) fn run() -> Result<(Vec<Program>, Vec<Results>)> {
    output(&mut cargo(&["build", "--quiet", "--locked", "--package", "heaptide-replay"]))?;
    let programs = programs()?;
    let results = LENGTHS.map(|n| play_all(&programs, n));
    Ok((programs, results.into_iter().collect::<Result<_>>()?))
}

fn executable() -> PathBuf {
    target_dir("debug/heaptide-replay")
}

fn programs() -> Result<Vec<Program>> {
    let list = output(&mut Command::new(executable()))?;
    let read = |line: &str| {
        let (label, rest) = line.split_once('\t')?;
        let (blamed, name) = rest.split_once('\t')?;
        let label = if label == "leak" { Label::Leak } else { Label::Healthy };
        Some(Program { name: name.to_owned(), label, blamed: blamed.to_owned() })
    };
    list.lines().map(|line| read(line).with_context(|| format!("what is `{line}`?"))).collect()
}

fn play_all(programs: &[Program], n: usize) -> Result<Results> {
    let tasks: Vec<(usize, u64)> =
        (0..programs.len()).flat_map(|program| (0..SEEDS).map(move |k| (program, k))).collect();
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let share = tasks.len().div_ceil(workers);
    let work = |tasks: &[(usize, u64)]| -> Result<Vec<Judged>> {
        let mut resolver = ElfResolver::new(Vec::new());
        let judge = |&(program, k): &(usize, u64)| {
            // Three of the four paces each, other ones for other programs.
            let seed = k + SEEDS * (program as u64 + 100 * n as u64);
            let place = || format!("{}, seed {seed}, {n} snapshots", programs[program].name);
            play(programs, program, seed, n, &mut resolver).with_context(place)
        };
        tasks.iter().map(judge).collect()
    };
    let judged: Vec<Result<Vec<Judged>>> = thread::scope(|scope| {
        let spawn = |tasks| scope.spawn(move || work(tasks));
        let threads: Vec<_> = tasks.chunks(share).map(spawn).collect();
        threads.into_iter().map(|it| it.join().expect("a replay panicked")).collect()
    });
    let mut results = Results {
        peers: vec![Score::default(); PEERS.len()],
        by_program: vec![Replays::default(); programs.len()],
        ..Results::default()
    };
    for judged in judged {
        judged?.iter().for_each(|judged| results.count(programs, judged));
    }
    Ok(results)
}

impl Results {
    fn count(&mut self, programs: &[Program], judged: &Judged) {
        let Program { name, label, .. } = &programs[judged.program];
        let replays = &mut self.by_program[judged.program];
        let class = judged.found.map(|(class, _)| class);
        replays.played += 1;
        replays.leak += u32::from(class == Some(Class::Leak));
        replays.suspect += u32::from(class == Some(Class::Suspect));
        replays.first += u32::from(matches!(judged.found, Some((_, 1))));
        for alarm in &judged.alarms {
            println!("with `{name}`, seed {}: {alarm}", judged.seed);
        }
        for (program, flags) in &judged.flags {
            let label = programs[*program].label;
            for (score, flag) in self.peers.iter_mut().zip(flags) {
                score.count(label, *flag);
            }
            if label == Label::Healthy {
                self.ours.count(label, false);
            }
        }
        self.ours.alarms += judged.alarms.len() as u32;
        if *label == Label::Leak {
            self.ours.count(*label, class == Some(Class::Leak));
        }
        self.sites += judged.sites;
    }
}

fn play(
    programs: &[Program],
    program: usize,
    seed: u64,
    n: usize,
    resolver: &mut ElfResolver,
) -> Result<Judged> {
    let recording = record(&programs[program].name, seed, n)?;
    let report =
        heaptide_analyze::judge(std::slice::from_ref(&recording), resolver, &Terms::default())?;
    let run =
        load(std::slice::from_ref(&recording))?.recordings.pop().context("there is no run")?;
    let last = report.runs.last().context("no run was judged")?;
    let flags = peers(programs, &run, &Symbols::look_up(&run, resolver, &WorkspaceCrates::new()))?;
    fs::remove_file(&recording)?;
    Ok(Judged {
        program,
        seed,
        found: found(&programs[program], last),
        alarms: report.runs.iter().flat_map(|run| alarms(programs, program, run)).collect(),
        flags,
        sites: report.runs.iter().map(|run| run.sites).sum(),
    })
}

/// Records a replay; every third one is a process that was started again after half of the time.
fn record(name: &str, seed: u64, n: usize) -> Result<PathBuf> {
    let directory = target_dir("replays");
    fs::create_dir_all(&directory)?;
    let file = |part: &str| directory.join(format!("{name}-{seed}{part}.jsonl"));
    let play = |seed: u64, n: usize, file: &Path| {
        if file.exists() {
            fs::remove_file(file)?;
        }
        let args = [name, &seed.to_string(), &n.to_string()].map(str::to_owned);
        output(Command::new(executable()).args(args).arg(file)).map(drop)
    };
    let whole = file("");
    play(seed, n, &whole)?;
    if seed.is_multiple_of(3) {
        let before = file("-before");
        play(seed + 1, n / 2, &before)?;
        let bytes = [fs::read(&before)?, fs::read(&whole)?].concat();
        fs::write(&whole, bytes)?;
        fs::remove_file(before)?;
    }
    Ok(whole)
}

fn found(program: &Program, run: &RunReport) -> Option<(Class, usize)> {
    let place = run.findings.iter().position(|it| it.blamed.function.contains(&program.blamed))?;
    Some((run.findings[place].class, place + 1)).filter(|_| program.label == Label::Leak)
}

fn alarms(programs: &[Program], played: usize, run: &RunReport) -> Vec<String> {
    let program = &programs[played];
    let guilty =
        |function: &str| program.label == Label::Leak && function.contains(&program.blamed);
    let leaks = run.findings.iter().filter(|finding| finding.class == Class::Leak);
    let wrong = leaks.filter(|finding| !guilty(&finding.blamed.function));
    let accused = |finding: &Finding| {
        let Verdict { channel, rate, .. } = &finding.lead().verdict;
        format!("`{}` was accused ({channel:?}, per {})", finding.blamed.function, rate.work)
    };
    wrong.map(accused).collect()
}

/// Which programs were in the process, and which rules flag any of their sites.
fn peers(
    programs: &[Program],
    run: &Recording,
    symbols: &Symbols,
) -> Result<Vec<(usize, Vec<bool>)>> {
    let curves = Curve::of_run(run)?;
    ensure!(!curves.is_empty(), "nothing was allocated");
    let mut flags = Vec::new();
    for (index, program) in programs.iter().enumerate() {
        let of_program = |site| {
            let stack = symbols.stack(site);
            stack.frames.iter().any(|frame| frame.function.contains(&program.blamed))
        };
        let sites = run.sites.values().filter(|site| of_program(site));
        let curves: Vec<&Curve> = sites.filter_map(|site| curves.get(&site.id)).collect();
        if !curves.is_empty() {
            let any = |flags: &fn(&Curve) -> bool| curves.iter().any(|curve| flags(curve));
            flags.push((index, PEERS.iter().map(|(_, flags)| any(flags)).collect()));
        }
    }
    Ok(flags)
}
