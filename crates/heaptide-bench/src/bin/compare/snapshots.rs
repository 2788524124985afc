//! `cargo ci snapshots`: what a snapshot takes where there are very many sites and few of them change,
//! in time of the processor and in bytes of the recording.
//!
//! Nothing is asserted: times are of the machine. The bytes are the same everywhere.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use heaptide_format::Line;

use crate::contender::{EXACT, scratch};
use crate::markdown::table;
use ci::program;

const MS: f64 = 1e6;
const MIB: f64 = (1 << 20) as f64;

/// What one snapshot took.
#[derive(Clone, Copy, Debug)]
struct Taken {
    ms: f64,
    mib: f64,
    /// Whether it is the first of a segment.
    opens: bool,
}

pub(crate) fn run() -> Result<()> {
    EXACT.prepare()?;
    let scratch = scratch()?;
    let mut command = Command::new(EXACT.binary.path());
    command.arg("snapshot-changes");
    EXACT.switch_on(&mut command, &scratch);
    let printed = program::output(&mut command)?;
    let times = printed.lines().map_while(|line| line.parse::<u64>().ok());
    let written = written(&scratch)?;
    let taken = times.zip(written).map(|(ns, (bytes, opens))| Taken {
        ms: ns as f64 / MS,
        mib: bytes as f64 / MIB,
        opens,
    });
    let taken: Vec<Taken> = taken.collect();
    let Some((first, later)) = taken.split_first() else {
        anyhow::bail!("it took no snapshot: {printed}");
    };
    ensure!(later.iter().any(|it| it.opens), "it has no second segment: ask for more snapshots");
    println!("{}", shown(*first, later));
    Ok(())
}

fn shown(first: Taken, later: &[Taken]) -> String {
    let (opening, within): (Vec<Taken>, Vec<Taken>) = later.iter().partition(|it| it.opens);
    let row = |name: &str, of: &[Taken]| {
        let sorted = |number: fn(&Taken) -> f64| {
            let mut numbers: Vec<f64> = of.iter().map(number).collect();
            numbers.sort_by(f64::total_cmp);
            numbers
        };
        let (ms, mib) = (sorted(|it| it.ms), sorted(|it| it.mib));
        let middle_and_most = |numbers: &[f64]| {
            let most = numbers.last().copied().unwrap_or_default();
            [numbers[numbers.len() / 2], most].map(|number| format!("{number:.2}"))
        };
        [
            vec![name.to_owned(), of.len().to_string()],
            middle_and_most(&ms).into(),
            middle_and_most(&mib).into(),
        ]
        .concat()
    };
    let head = ["snapshots", "how many", "ms, median", "most", "MiB, median", "most"];
    let rows =
        [row("the first", &[first]), row("that begin a segment", &opening), row("others", &within)];
    table(&head, &rows)
}

/// Bytes of each snapshot with the lines that came for it, in order, and whether it opens a segment.
fn written(scratch: &Path) -> Result<Vec<(u64, bool)>> {
    let files = std::fs::read_dir(scratch)?.map(|entry| Ok(entry?.path()));
    let files: Vec<PathBuf> = files.collect::<Result<_>>()?;
    let mut by_seq = BTreeMap::new();
    for file in files {
        let text = std::fs::read(&file).with_context(|| file.display().to_string())?;
        let (mut bytes, mut opens) = (0, true);
        for line in text.split_inclusive(|&byte| byte == b'\n') {
            bytes += line.len() as u64;
            if let Line::Snapshot(snapshot) = Line::parse(line)? {
                by_seq.insert(snapshot.seq, (bytes, opens));
                (bytes, opens) = (0, false);
            }
        }
    }
    Ok(by_seq.into_values().collect())
}
