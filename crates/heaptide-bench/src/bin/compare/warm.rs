//! `cargo ci lines`: how many cache lines and pages the hook keeps warm.
//!
//! An instruction that finds its line in the nearest cache costs a fraction of a nanosecond, and one that does
//! not costs many; and each line that we use is one that the program has no more. So beside the
//! instructions these are held: the lines that are used at least once in so many operations, by where they
//! are. The bounds stand in `crates/heaptide-bench/lines.toml`; `UPDATE=1` writes what is counted now.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use heaptide_format::Line;

use crate::bounds::{self, Added};
use crate::contender::{Contender, EXACT, SYSTEM_ALONE, scratch};
use crate::lackey::{LINE_BYTES, Uses, of_work};
use crate::source::Sources;

/// Operations of the two runs whose difference counts. Few, since each takes a thousand lines of trace.
const OPS: [u64; 2] = [2_000, 4_000];
/// A line is warm if it is used at least once in so many operations. Each of the workload's stacks comes once
/// in twelve; each of its blocks, whose lines no allocator can keep warm, once in a thousand.
const OPS_PER_USE: u64 = 20;
const LEAST: u64 = (OPS[1] - OPS[0]) / OPS_PER_USE;
const WORKLOAD: &str = "micro-1000";

const LINES_PER_PAGE: u64 = 4096 / LINE_BYTES;
/// Valgrind puts the first thread's stack here, whatever the machine has elsewhere.
const STACK: std::ops::Range<u64> = 0x1f_f000_0000..0x20_0000_0000;

const FILE: &str = "crates/heaptide-bench/lines.toml";
const ABOUT: &str = "\
# Cache lines and pages that the shim keeps warm beside those of the program alone, under Valgrind: the gate
# of `cargo ci lines`, which fails above these by more than a few per cent.
# Rewritten by `UPDATE=1 cargo ci lines`.
";

const CODE: &str = "code";
const ON_THE_STACK: &str = "stack";
const PROGRAM: &str = "program and its allocator";
const REST: &str = "rest of the shim";

/// What is read or written there, by who does it: the end of a source file's path, and a part of the
/// function's name. The first that fits counts.
static PARTS: [(&str, &str, &str); 11] = [
    ("thread/stack_cache/mod.rs", "first_not_held", "stack cache: log"),
    ("thread/stack_cache/mod.rs", "entry_in", "stack cache: sets"),
    ("thread/stack_cache/mod.rs", "known", "stack cache: sets"),
    ("thread/stack_cache/mod.rs", "", "stack cache: head"),
    ("thread/counters/own.rs", "", "links to slots"),
    ("thread/counters/slot.rs", "", "slots"),
    ("shared/cohort.rs", "", "cohorts"),
    ("shared/state.rs", "", "state word"),
    ("hook/layout.rs", "", "trailers"),
    ("thread/block.rs", "", "thread block"),
    ("event/exact.rs", "", "thread block"),
];

/// Warm lines, by part.
type Warm = BTreeMap<&'static str, BTreeSet<u64>>;

pub(crate) fn run() -> Result<()> {
    SYSTEM_ALONE.prepare()?;
    EXACT.prepare()?;
    let scratch = scratch()?;
    let alone = warm(&of_work(&SYSTEM_ALONE, WORKLOAD, OPS, &scratch)?, |_| PROGRAM);
    let uses = of_work(&EXACT, WORKLOAD, OPS, &scratch)?;
    let path = EXACT.binary.path();
    let program = std::fs::read(&path).with_context(|| path.display().to_string())?;
    let sources = Sources::of(&program, bias(&EXACT, &scratch)?)?;
    let recorded = warm(&uses, |instruction| part_of(&sources, instruction));
    println!("{:<26} {:>12} {:>14}", "lines kept warm (pages)", "alone", "recorded");
    let parts: BTreeSet<&str> = alone.keys().chain(recorded.keys()).copied().collect();
    for part in parts {
        let shown = |warm: &Warm| {
            let lines = warm.get(part).cloned().unwrap_or_default();
            format!("{:>6} ({:>3})", lines.len(), n_pages(&lines))
        };
        println!("{part:<26} {:>12} {:>14}", shown(&alone), shown(&recorded));
    }
    let added = |of: fn(&BTreeSet<u64>) -> usize| {
        let all = |warm: &Warm| of(&warm.values().flatten().copied().collect()) as f64;
        all(&recorded) - all(&alone)
    };
    let added = Added::from([
        ("exact_lines".to_owned(), added(BTreeSet::len)),
        ("exact_pages".to_owned(), added(n_pages)),
    ]);
    let over = bounds::exceeded(&added, &bounds::of(FILE, ABOUT, &added)?, "to what is kept warm")?;
    ensure!(over.is_empty(), "{}", over.join("; "));
    Ok(())
}

fn n_pages(lines: &BTreeSet<u64>) -> usize {
    lines.iter().map(|line| line / LINES_PER_PAGE).collect::<BTreeSet<_>>().len()
}

/// The lines that are warm, each as part of what most uses of it are.
fn warm(uses: &Uses, part_of: impl Fn(u64) -> &'static str) -> Warm {
    let mut by_line: HashMap<u64, Vec<(Option<u64>, u64)>> = HashMap::new();
    for (at, &n) in uses {
        by_line.entry(at.line).or_default().push((at.by, n));
    }
    let mut warm = Warm::new();
    for (line, by) in by_line {
        if by.iter().map(|(_, n)| n).sum::<u64>() < LEAST {
            continue;
        }
        let mut by_part: BTreeMap<&str, u64> = BTreeMap::new();
        for (by, n) in by {
            let part = match by {
                None => CODE,
                Some(_) if STACK.contains(&(line * LINE_BYTES)) => ON_THE_STACK,
                Some(instruction) => part_of(instruction),
            };
            *by_part.entry(part).or_default() += n;
        }
        if let Some((part, _)) = by_part.into_iter().max_by_key(|(_, n)| *n) {
            warm.entry(part).or_default().insert(line);
        }
    }
    warm
}

/// What the instruction reads or writes.
fn part_of(sources: &Sources, instruction: u64) -> &'static str {
    let Some((file, function)) = sources.of_shim(instruction) else { return PROGRAM };
    let fits =
        |(end, part, _): &&(&str, &str, &str)| file.ends_with(end) && function.contains(part);
    PARTS.iter().find(fits).map_or(REST, |(_, _, name)| name)
}

/// Where the program was loaded, as its recording says.
fn bias(contender: &Contender, scratch: &Path) -> Result<u64> {
    let path = contender.recording(scratch);
    let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
    let program = contender.binary.path();
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        if let Line::Module(module) = Line::parse(line)?
            && Path::new(&module.path).file_name() == program.file_name()
        {
            return Ok(module.bias.0);
        }
    }
    anyhow::bail!("{} does not name {}", path.display(), program.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lackey::Use;

    #[test]
    fn a_line_is_warm_that_is_used_often_and_counts_once() {
        let at = |line, by| Use { line, by };
        let stack = STACK.start / LINE_BYTES;
        let uses = Uses::from([
            (at(1, None), LEAST),
            (at(2, Some(7)), LEAST - 1),
            (at(3, Some(7)), LEAST - 10),
            (at(3, Some(8)), 10),
            (at(stack, Some(7)), LEAST),
        ]);
        let warm = warm(&uses, |instruction| if instruction == 7 { "seven" } else { "eight" });
        let of = |line| BTreeSet::from([line]);
        let expected = [(CODE, of(1)), ("seven", of(3)), (ON_THE_STACK, of(stack))];
        assert_eq!(warm, Warm::from(expected));
    }
}
