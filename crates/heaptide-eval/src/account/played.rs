//! The programs, played and judged.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use anyhow::{Context, Result, ensure};
use heaptide_analyze::Terms;
use heaptide_analyze::load;
use heaptide_analyze::process::PartClass;
use heaptide_analyze::symbols::RecordedOnly;
use heaptide_analyze::verdict::Class;
use heaptide_format::Account;

use ci::program::{cargo, output, target_dir};

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
        Ok(Program {
            name: name.to_owned(),
            grows: sure.into_iter().map(str::to_owned).collect(),
            may_grow: open.into_iter().map(|part| part.trim_end_matches('?').to_owned()).collect(),
            executable: executable.clone(),
        })
    };
    list.lines().map(program).collect()
}

fn play(program: &Program, seed: u64, seconds: f64, folder: &Path) -> Result<Judged> {
    let binary = program.executable.file_name().unwrap_or_default().to_string_lossy();
    let recording = folder.join(format!("{binary}-{}-{seed}.jsonl", program.name));
    if recording.exists() {
        fs::remove_file(&recording)?;
    }
    let args = [program.name.clone(), seed.to_string(), seconds.to_string()];
    output(Command::new(&program.executable).args(args).arg(&recording))?;
    let judged = judge(program, &recording)?;
    fs::remove_file(&recording)?;
    Ok(judged)
}

fn judge(program: &Program, recording: &Path) -> Result<Judged> {
    let paths = [recording.to_owned()];
    let report = heaptide_analyze::judge(&paths, &mut RecordedOnly, &Terms::default())?;
    let run = report.runs.first().context("there is no run")?;
    let mut classes: BTreeMap<String, PartClass> =
        run.process.parts.iter().map(|part| (part.name.word().to_owned(), part.class)).collect();
    let counts = [("threads", &run.process.threads), ("descriptors", &run.process.descriptors)];
    for (name, count) in counts {
        classes.extend(count.as_ref().map(|count| (name.to_owned(), count.class)));
    }
    let rust = report.findings().map(|finding| match finding.class {
        Class::Leak => PartClass::Grows,
        _ => PartClass::Suspect,
    });
    classes.insert("rust".to_owned(), rust.min().unwrap_or(PartClass::Stable));
    let points = &load::load(&paths)?.recordings[0].timeline.points;
    let accounts: Vec<(u64, &Account)> = points
        .iter()
        .filter_map(|point| Some((point.rss_bytes, point.account.as_ref()?)))
        .collect();
    ensure!(!accounts.is_empty(), "there is no account");
    let mut costs: Vec<u64> = accounts.iter().map(|(_, account)| account.cost_ns).collect();
    costs.sort_unstable();
    Ok(Judged {
        program: program.clone(),
        classes,
        exit_code: report.outcome.exit_code(),
        gaps_bytes: accounts.iter().filter_map(|(rss, account)| gap(*rss, account)).collect(),
        cost_ns: costs[costs.len() / 2],
    })
}

fn gap(rss_bytes: u64, account: &Account) -> Option<u64> {
    let parts = account.parts.as_ref()?;
    Some(rss_bytes.abs_diff(parts.resident_bytes()))
}
