//! The programs, played and judged.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use anyhow::{Context, Result, ensure};
use heaptide_analyze::load;
use heaptide_analyze::process::PartClass;
use heaptide_analyze::symbols::RecordedOnly;
use heaptide_analyze::verdict::Class;
use heaptide_analyze::{Report, Terms};
use heaptide_format::Account;

use ci::program::{cargo, output, target_dir};

/// How many a run has at least.
const SNAPSHOTS: f64 = 48.0;
/// How many run at a time: they are mostly asleep.
const AT_ONCE: usize = 8;
/// The programs that are played over jemalloc as well: what it keeps is not what glibc keeps.
const OVER_JEMALLOC: [&str; 5] = ["bursts", "c-4-kib-per-request", "rust", "sawtooth", "nothing"];

/// A program and what of it grows.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) name: String,
    /// Parts, `threads`, `descriptors` or `rust`.
    pub(super) grows: Vec<String>,
    /// By how many bytes per request, where that is known.
    pub(super) bytes_per_request: BTreeMap<String, f64>,
    /// Those of which a run of this length cannot tell.
    pub(super) may_grow: Vec<String>,
    executable: PathBuf,
}

/// What was said of one run.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    pub(super) program: Program,
    /// What grows, for sure or perhaps, by name.
    pub(super) classes: BTreeMap<String, PartClass>,
    /// The rates that were found, as a share of the true ones.
    pub(super) rates: Vec<f64>,
    pub(super) exit_code: u8,
    /// The distance of the parts from the resident set, at each snapshot that read them.
    pub(super) gaps_bytes: Vec<u64>,
    /// What reading the account took, the middle one of its snapshots.
    pub(super) cost_ns: u64,
}

/// Plays every program with so many seeds.
pub(super) fn all(seeds: u64, seconds: f64) -> Result<Vec<Result<Judged>>> {
    output(&mut cargo(&["build", "--quiet", "--locked", "--package", "heaptide-parts"]))?;
    let folder = target_dir("account");
    fs::create_dir_all(&folder)?;
    let programs = programs()?;
    let runs = programs.iter().flat_map(|program| (1..=seeds).map(move |seed| (program, seed)));
    let queue = Mutex::new(runs.collect::<Vec<_>>());
    let done = Mutex::new(Vec::new());
    let work = || {
        while let Some((program, seed)) = { queue.lock().expect("nobody panics").pop() } {
            let judged = play(program, seed, seconds, &folder)
                .with_context(|| format!("{}, seed {seed}", program.name));
            done.lock().expect("nobody panics").push(judged);
        }
    };
    thread::scope(|scope| (0..AT_ONCE).for_each(|_| drop(scope.spawn(work))));
    Ok(done.into_inner().expect("nobody panics"))
}

fn programs() -> Result<Vec<Program>> {
    let mut all = listed(target_dir("debug/heaptide-parts"))?;
    let jemalloc = listed(target_dir("debug/heaptide-parts-jemalloc"))?.into_iter();
    all.extend(jemalloc.filter(|program| OVER_JEMALLOC.contains(&program.name.as_str())));
    Ok(all)
}

fn listed(executable: PathBuf) -> Result<Vec<Program>> {
    let list = output(&mut Command::new(&executable))?;
    let program = |line: &str| {
        let (grows, name) = line.split_once('\t').with_context(|| format!("what is `{line}`?"))?;
        let (open, sure): (Vec<&str>, Vec<&str>) =
            grows.split(',').filter(|part| !part.is_empty()).partition(|part| part.ends_with('?'));
        let mut program = Program {
            name: name.to_owned(),
            grows: Vec::new(),
            bytes_per_request: BTreeMap::new(),
            may_grow: open.iter().map(|part| part.trim_end_matches('?').to_owned()).collect(),
            executable: executable.clone(),
        };
        for part in sure {
            let (part, rate) = part.split_once('=').unwrap_or((part, ""));
            program.grows.push(part.to_owned());
            if !rate.is_empty() {
                program.bytes_per_request.insert(part.to_owned(), rate.parse()?);
            }
        }
        Ok(program)
    };
    list.lines().map(program).collect()
}

fn play(program: &Program, seed: u64, seconds: f64, folder: &Path) -> Result<Judged> {
    let binary = program.executable.file_name().unwrap_or_default().to_string_lossy();
    let folder = folder.join(format!("{binary}-{}-{seed}", program.name));
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir(&folder)?;
    let args = [program.name.clone(), seed.to_string(), seconds.to_string()];
    let interval = format!("{}ms", (1000. * seconds / SNAPSHOTS).floor());
    output(
        Command::new(&program.executable)
            .args(args)
            .env("HEAPTIDE_OUT", folder.join("rec.jsonl"))
            .env("HEAPTIDE_INTERVAL", interval),
    )?;
    let judged = judge(program, &folder)?;
    fs::remove_dir_all(&folder)?;
    Ok(judged)
}

/// Of a process and those it forked, the worst counts.
fn judge(program: &Program, folder: &Path) -> Result<Judged> {
    let paths = [folder.to_owned()];
    let report = heaptide_analyze::judge(&paths, &mut RecordedOnly, &Terms::default())?;
    let mut classes: BTreeMap<String, PartClass> = BTreeMap::new();
    let mut worst = |name: &str, class: PartClass| {
        classes.entry(name.to_owned()).and_modify(|it| *it = class.min(*it)).or_insert(class);
    };
    for run in &report.runs {
        run.process.parts.iter().for_each(|part| worst(part.name.word(), part.class));
        run.process.counts().for_each(|(name, count)| worst(name, count.class));
    }
    worst("rust", PartClass::Stable);
    report.findings().for_each(|finding| match finding.class {
        Class::Leak => worst("rust", PartClass::Grows),
        _ => worst("rust", PartClass::Suspect),
    });
    let recordings = load::load(&paths)?.recordings;
    let points = recordings.iter().flat_map(|recording| &recording.timeline.points);
    let accounts: Vec<(u64, &Account)> =
        points.filter_map(|point| Some((point.rss_bytes, point.account.as_ref()?))).collect();
    ensure!(!accounts.is_empty(), "there is no account");
    let mut costs: Vec<u64> = accounts.iter().map(|(_, account)| account.cost_ns).collect();
    costs.sort_unstable();
    Ok(Judged {
        program: program.clone(),
        classes,
        rates: rates(program, &report),
        exit_code: report.outcome.exit_code(),
        gaps_bytes: accounts.iter().filter_map(|(rss, account)| gap(*rss, account)).collect(),
        cost_ns: costs[costs.len() / 2],
    })
}

/// Of each part that grows at a known rate and was found, the rate that was found, as a share of it.
fn rates(program: &Program, report: &Report) -> Vec<f64> {
    let parts = report.runs.iter().flat_map(|run| &run.process.parts);
    let found = parts.filter(|part| part.class.may_grow() && part.work == "requests");
    found
        .filter_map(|part| {
            let truth = program.bytes_per_request.get(part.name.word())?;
            Some(part.bytes_per_op / truth)
        })
        .collect()
}

fn gap(rss_bytes: u64, account: &Account) -> Option<u64> {
    let parts = account.parts.as_ref()?;
    Some(rss_bytes.abs_diff(parts.resident_bytes()))
}
