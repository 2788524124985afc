//! Processes made up from bytes: recorded, judged, and written by every writer.
//!
//! What comes out must be what the readers of each output take, whatever the names and the numbers are.
//! The recording holds to the schema and to the invariants of the format, so that it is judged and not
//! refused: a mutated text would hardly ever get as far as a writer.

use std::path::{Path, PathBuf};

use arbitrary::{Result, Unstructured};
use heaptide_analyze::compare::Before;
use heaptide_analyze::diff::Diff;
use heaptide_analyze::dump::Dump;
use heaptide_analyze::identity::WorkspaceCrates;
use heaptide_analyze::load::Location;
use heaptide_analyze::policy::Policy;
use heaptide_analyze::symbols::RecordedOnly;
use heaptide_analyze::view::Limits;
use heaptide_analyze::{Terms, judge_and_view};
use heaptide_format::{Line, Mode, Name, Parts, PartsSource};
use heaptide_synthetic::{Born, Process, container_rows, rows, text};

use super::fields::Sample;
use super::outputs::OUTPUTS;
use super::payloads::PAYLOADS;

/// What a name of any program may look like.
const NAMES: &[&str] = &[
    "shop::Cart<T>::add::{closure#0}",
    "<alloc::vec::Vec<T> as shop::Keep<&'a str>>::put",
    "tokio::runtime::task::harness::Harness<T, S>::poll",
    "shop::serve::{async_fn#0}",
    "::{closure#1}",
    "_start",
    "größe",
    "",
];
const MOST_SNAPSHOTS: u32 = 48;
const MOST_SITES: u32 = 5;
const MOST_PIECES: u32 = 6;

/// Whether all outputs of what these bytes stand for are well-formed, and nothing gets in.
///
/// # Panics
/// They are not: with the output's name, and what is wrong.
pub(crate) fn check(bytes: &[u8]) {
    let mut choices = Unstructured::new(bytes);
    let (Ok(lines), Ok(terms)) = (recording(&mut choices), terms(&mut choices)) else { return };
    let compares = choices.arbitrary().unwrap_or(false);
    let name = format!("heaptide-writers-{}-{:?}", std::process::id(), std::thread::current().id());
    let path = std::env::temp_dir().join(name).with_extension("jsonl");
    std::fs::write(&path, text(&lines)).expect("the temporary directory can be written to");
    let sample = sample(&path, terms, compares);
    let _ = std::fs::remove_file(&path);
    let Some(sample) = sample else { return };
    for output in OUTPUTS {
        if let Err(wrong) = output.shape(&sample) {
            panic!("{}: {wrong}", output.name);
        }
    }
}

/// What is written of a recording; nothing of one that cannot be judged.
fn sample(path: &Path, mut terms: Terms, compares: bool) -> Option<Sample> {
    let paths: [PathBuf; 1] = [path.to_owned()];
    let judge =
        |terms: &Terms| judge_and_view(&paths, &mut RecordedOnly, terms, &Limits::default()).ok();
    if compares {
        terms.before = Some(Before::of(&judge(&terms)?.0.runs));
    }
    let (report, runs) = judge(&terms)?;
    let dump = |seq| {
        let at = Location { path: path.to_owned(), seq };
        Some(Dump::open(&at, &mut RecordedOnly, &WorkspaceCrates::new()).ok()?.dump)
    };
    let first = runs.first()?.timeline.points.first()?.seq;
    let (before, dump) = (dump(Some(first))?, dump(None)?);
    Some(Sample { report, diff: Diff::new(&before, &dump), dump, runs })
}

fn terms(choices: &mut Unstructured<'_>) -> Result<Terms> {
    let quoted = |text: String| serde_json::to_string(&text).unwrap_or_default();
    let (site, reason) = (quoted(name(choices)?), quoted(name(choices)?));
    let policy = format!("[[allow]]\nsite = {site}\nreason = {reason}\nlimit = \"5 objects/op\"\n");
    let policy = match choices.arbitrary()? {
        // JSON leaves one control character as it is, which TOML does not take.
        true => Policy::parse(&policy).unwrap_or_default(),
        false => Policy::default(),
    };
    Ok(Terms { policy, workspace: [name(choices)?].into(), ..Terms::default() })
}

fn recording(choices: &mut Unstructured<'_>) -> Result<Vec<Line>> {
    let n_snapshots = choices.int_in_range(1..=MOST_SNAPSHOTS)?;
    let mut process = Process::of_snapshots(n_snapshots);
    process.header.exe = name(choices)?;
    process.header.host = name(choices)?;
    process.header.pid = choices.arbitrary()?;
    process.header.start_unix_ns = choices.arbitrary()?;
    process.header.memory_limit_bytes = choices.arbitrary()?;
    process.header.machine_bytes = choices.arbitrary()?;
    if choices.ratio(1, 8)? {
        process.header.mode = Mode::Sampled { period_bytes: choices.arbitrary()? };
    }
    works(&mut process, choices)?;
    if choices.arbitrary()? {
        holds(&mut process, choices)?;
    }
    for _ in 0..choices.int_in_range(0..=MOST_SITES)? {
        site(&mut process, n_snapshots, choices)?;
    }
    let (path, tag) = (name(choices)?, name(choices)?);
    let mut lines = process.lines();
    for line in &mut lines {
        match line {
            Line::Module(module) => module.path.clone_from(&path),
            Line::Site(site) if site.id.0.is_multiple_of(2) => site.tag = Some(tag.clone()),
            _ => {}
        }
    }
    Ok(lines)
}

fn works(process: &mut Process, choices: &mut Unstructured<'_>) -> Result<()> {
    let (counter, per_snapshot) = (name(choices)?, choices.int_in_range(0..=1_000_000_u64)?);
    for point in &mut process.points {
        point.work.insert(counter.clone(), per_snapshot * (point.seq + 1));
    }
    Ok(())
}

fn holds(process: &mut Process, choices: &mut Unstructured<'_>) -> Result<()> {
    let mut part = || -> Result<(u64, u64)> {
        Ok((choices.int_in_range(0..=1 << 40)?, choices.int_in_range(0..=1 << 30)?))
    };
    let (other, anonymous, files) = (part()?, part()?, part()?);
    let at = |(first, more): (u64, u64), epoch: u32| first + more * u64::from(epoch);
    process.holds(|epoch| Parts {
        source: PartsSource::Glibc,
        other_malloc_bytes: at(other, epoch),
        anonymous_bytes: at(anonymous, epoch),
        files_bytes: at(files, epoch),
        ..Parts::default()
    });
    Ok(())
}

fn site(process: &mut Process, n_snapshots: u32, choices: &mut Unstructured<'_>) -> Result<()> {
    let file = match choices.arbitrary()? {
        true => Some(format!("{}/a.rs", name(choices)?)),
        false => None,
    };
    let named = Name { function: name(choices)?, file, line: choices.arbitrary()? };
    let (n_blocks, bytes) = (choices.int_in_range(0..=5_000)?, choices.int_in_range(1..=1 << 30)?);
    let lifetime_epochs = choices.int_in_range(1..=12)?;
    let id = heaptide_format::SiteId(0);
    let made = match choices.int_in_range(0..=3)? {
        0 => rows(id, n_snapshots, |_| vec![Born::for_ever(n_blocks).of_bytes(bytes)]),
        1 => {
            rows(id, n_snapshots, |_| vec![Born::living(n_blocks, lifetime_epochs).of_bytes(bytes)])
        }
        2 => rows(id, n_snapshots, |epoch| match epoch % lifetime_epochs {
            0 => vec![Born::for_ever(n_blocks).of_bytes(bytes)],
            _ => vec![Born::living(1, 1)],
        }),
        _ => container_rows(id, n_snapshots, |epoch| bytes << (epoch / lifetime_epochs).min(20)),
    };
    process.site_with_rows(named, made);
    Ok(())
}

/// A name: one that a program has, what somebody may write into one, or both.
fn name(choices: &mut Unstructured<'_>) -> Result<String> {
    let mut name = String::new();
    for _ in 0..choices.int_in_range(1..=MOST_PIECES)? {
        match choices.int_in_range(0..=3)? {
            0 => name.push_str(choices.choose(NAMES)?),
            1 => name.push_str(choices.choose(PAYLOADS)?.1),
            2 => name.push(choices.arbitrary()?),
            _ => break,
        }
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    /// What fuzzing starts from, and what it found.
    #[test]
    fn seeds_are_written_well() {
        let seeds = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/writers");
        let seeds: Vec<_> = std::fs::read_dir(seeds).expect("seeds").collect();
        assert!(!seeds.is_empty());
        for seed in seeds {
            let seed = std::fs::read(seed.expect("an entry").path()).expect("a seed");
            super::check(&seed);
            // Cut and damaged they are other processes, without a fuzzer too.
            for at in (0..seed.len()).step_by((seed.len() / 8).max(1)) {
                super::check(&seed[..at]);
                let mut damaged = seed.clone();
                damaged[at] ^= 0x81;
                super::check(&damaged);
            }
        }
    }
}
