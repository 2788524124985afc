//! `cargo ci parts`: the rule for the parts of a process, on made-up ones, by many seeds.
//!
//! The noise is that of real processes, as far as it was measured. The constants of the rule may be
//! chosen on the first seeds; the targets are held on the others, and `docs/VERDICT.md` quotes those.
//! `PARTS=tuning` judges the first alone.

mod made_up;
mod shapes;

use std::collections::BTreeMap;
use std::ops::Range;

use anyhow::{Result, bail, ensure};
use fastrand::Rng;
use heaptide_analyze::process::{PartClass, Process};

use made_up::{Counted, MadeUp};
use shapes::{Label, SHAPES, Shape};

const TUNING: Range<u64> = 1..21;
const UNTOUCHED: Range<u64> = 1001..1101;
const LENGTHS: [usize; 2] = [48, 96];
const COUNTED: [Counted; 3] = [Counted::Work, Counted::Cpu, Counted::Idle];
/// The targets: the least share of growing parts that are found where work is known, and the largest
/// of healthy ones that are accused.
const LEAST_RECALL: f64 = 0.9;
const MOST_ALARMS: f64 = 0.002;

/// Judges all shapes, and holds the rule to its targets.
///
/// # Errors
///
/// If a target is missed.
pub fn run() -> Result<()> {
    let seeds = match std::env::var("PARTS").as_deref() {
        Ok("tuning") => TUNING,
        Err(_) => UNTOUCHED,
        Ok(other) => bail!("PARTS is `tuning` or not set, not `{other}`"),
    };
    let mut wrong = Vec::new();
    for n_snapshots in LENGTHS {
        for counted in COUNTED {
            let tally = Tally::of(n_snapshots, counted, seeds.clone());
            println!(
                "\n{n_snapshots} snapshots, {}, seeds {seeds:?}\n\n{}",
                by(counted),
                tally.table()
            );
            wrong.extend(tally.complaint(n_snapshots, counted));
        }
    }
    wrong.iter().for_each(|wrong| println!("{wrong}"));
    ensure!(wrong.is_empty(), "{} targets are missed", wrong.len());
    Ok(())
}

fn by(counted: Counted) -> &'static str {
    match counted {
        Counted::Work => "requests counted",
        Counted::Cpu => "nothing counted",
        Counted::Idle => "nothing counted, idle",
    }
}

/// How often each part of each shape was judged to be what.
#[derive(Default)]
struct Tally {
    /// By shape and part: how often it was judged so.
    classes: BTreeMap<(usize, &'static str), BTreeMap<PartClass, u64>>,
    found: u64,
    leaks: u64,
    alarms: u64,
    suspects: u64,
    healthy: u64,
}

impl Tally {
    fn of(n_snapshots: usize, counted: Counted, seeds: Range<u64>) -> Self {
        let mut tally = Self::default();
        for (at, shape) in SHAPES.iter().enumerate() {
            for seed in seeds.clone() {
                let rng = Rng::with_seed(seed * 1_000 + at as u64);
                let mut made = MadeUp::quiet(n_snapshots, shape.load, rng);
                (shape.add)(&mut made);
                tally.add(at, shape, &made.judged(counted));
            }
        }
        tally
    }

    fn add(&mut self, at: usize, shape: &Shape, process: &Process) {
        let parts = process.parts.iter().map(|part| (part.name.word(), part.class));
        let counts = process.counts().map(|(name, count)| (name, count.class));
        for (name, class) in parts.chain(counts) {
            *self.classes.entry((at, name)).or_default().entry(class).or_default() += 1;
            if class == PartClass::NotJudged {
                continue;
            }
            match shape.label {
                Label::Leaks(parts) if parts.contains(&name) => {
                    self.leaks += 1;
                    self.found += u64::from(class == PartClass::Grows);
                }
                // What else grows with threads is theirs: stacks, and blocks in their caches.
                Label::Leaks(["threads"]) | Label::Open => {}
                Label::Leaks(_) | Label::Healthy => {
                    self.healthy += 1;
                    self.alarms += u64::from(class == PartClass::Grows);
                    self.suspects += u64::from(class == PartClass::Suspect);
                }
            }
        }
    }

    fn recall(&self) -> f64 {
        self.found as f64 / self.leaks.max(1) as f64
    }

    fn complaint(&self, n_snapshots: usize, counted: Counted) -> Vec<String> {
        let alarms = self.alarms as f64 / self.healthy.max(1) as f64;
        let mut wrong = Vec::new();
        if counted == Counted::Work && self.recall() < LEAST_RECALL {
            wrong.push(format!("{n_snapshots} snapshots: recall {:.3}", self.recall()));
        }
        if alarms > MOST_ALARMS {
            let (alarms, healthy) = (self.alarms, self.healthy);
            wrong.push(format!("{n_snapshots} snapshots: {alarms} of {healthy} were accused"));
        }
        wrong
    }

    fn table(&self) -> String {
        let mut table =
            "| shape | part | grows | suspect | other classes |\n|---|---|--:|--:|---|\n"
                .to_owned();
        for ((at, name), classes) in &self.classes {
            let n: u64 = classes.values().sum();
            let of = |class| 100 * classes.get(&class).copied().unwrap_or(0) / n;
            let (grows, suspect) = (of(PartClass::Grows), of(PartClass::Suspect));
            let is_leak = matches!(SHAPES[*at].label, Label::Leaks(parts) if parts.contains(name));
            if !is_leak && grows + suspect == 0 {
                continue;
            }
            let others = classes.keys().filter(|class| !class.may_grow());
            let others: Vec<String> =
                others.map(|class| format!("{} {} %", class.word(), of(*class))).collect();
            let (shape, others) = (SHAPES[*at].name, others.join(", "));
            table += &format!("| {shape} | `{name}` | {grows} | {suspect} | {others} |\n");
        }
        let Self { found, leaks, alarms, suspects, healthy, .. } = self;
        table += &format!(
            "\nRecall {:.3} ({found} of {leaks}). Of {healthy} healthy parts {alarms} were accused, \
             {suspects} suspect.\n",
            self.recall()
        );
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A few seeds of each shape, in the seconds that a test may take.
    #[test]
    fn a_few_seeds_are_judged_as_the_many_are() {
        let tally = Tally::of(48, Counted::Work, 1..4);
        assert!(tally.recall() >= 0.85 && tally.alarms == 0, "{}", tally.table());
    }
}
