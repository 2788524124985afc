//! Runs in turns, and what came of them.
//!
//! Everybody runs once before anybody runs twice, so that a slow minute of the machine falls on all;
//! somebody else is the first in each round; and right before each its baseline runs once more, to
//! compare it with.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::contender::{Contender, Records};
use crate::plan::{FEW_BLOCKS, Job, MANY_BLOCKS};
use crate::recording::{Stacks, stacks};

/// What a run printed.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Sample {
    ops: u64,
    pub(crate) total_ops: u64,
    pub(crate) cpu_ns: u64,
    /// Of the median batch.
    pub(crate) cpu_ns_per_op: f64,
    wall_ns: u64,
    latency_ns: Option<[u64; 3]>,
    pub(crate) main_cpu_ns: u64,
    pub(crate) peak_rss_bytes: u64,
    /// From its recording, if it made one.
    #[serde(skip)]
    pub(crate) stacks: Option<Stacks>,
}

impl Sample {
    /// Operations per second on the wall.
    pub(crate) fn ops_per_s(&self) -> f64 {
        self.ops as f64 * 1e9 / self.wall_ns.max(1) as f64
    }

    /// How many µs late answers were: in the middle, for the last of a hundred and of a thousand.
    pub(crate) fn latency_us(&self) -> [f64; 3] {
        self.latency_ns.unwrap_or_default().map(|ns| ns as f64 / 1e3)
    }

    pub(crate) fn rss(&self) -> f64 {
        self.peak_rss_bytes as f64
    }
}

/// A run, and the baseline's right before it; a baseline is its own.
#[derive(Clone, Debug)]
struct Pair {
    run: Sample,
    base: Sample,
}

/// Median and extremes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// `None` of nothing.
    pub(crate) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Some(Self { median, least, most })
    }
}

/// All samples, by job and contender.
#[derive(Debug, Default)]
pub(crate) struct Results {
    pairs: BTreeMap<(&'static str, &'static str), Vec<Pair>>,
    /// Why there are none, or no more.
    pub(crate) absent: BTreeMap<&'static str, String>,
    failed: BTreeMap<(&'static str, &'static str), String>,
}

impl Results {
    /// Builds everybody and gets their tools. Who cannot be had is noted.
    pub(crate) fn prepared(all: &[&'static Contender], scratch: &Path) -> Self {
        let mut results = Self::default();
        for contender in all {
            if let Err(err) = contender.prepare().and_then(|()| probe(contender, scratch)) {
                println!("{}: {err:#}", contender.name);
                results.absent.insert(contender.name, format!("{err:#}"));
            }
        }
        results
    }

    /// Runs every job in turns. Who fails at one is noted and left out of the rest of it.
    pub(crate) fn in_turns(
        mut self,
        all: &[&'static Contender],
        jobs: &[Job],
        scratch: &Path,
    ) -> Self {
        let rounds = jobs.iter().map(|job| job.rounds).max().unwrap_or(0);
        for round in 0..rounds {
            for job in jobs.iter().filter(|job| round < job.rounds) {
                println!("round {} of {}: {}", round + 1, job.rounds, job.key);
                let (first, rest) = all.split_at(round % all.len().max(1));
                let chosen = rest.iter().chain(first).filter(|contender| (job.whom)(contender));
                for contender in chosen {
                    self.one(contender, job, scratch);
                }
            }
        }
        self
    }

    fn one(&mut self, contender: &'static Contender, job: &Job, scratch: &Path) {
        let key = (job.key, contender.name);
        if self.absent.contains_key(contender.name) || self.failed.contains_key(&key) {
            return;
        }
        let args: Vec<&str> = job.args.iter().map(String::as_str).collect();
        match pair(contender, &args, scratch) {
            Ok(pair) => self.pairs.entry(key).or_default().push(pair),
            Err(err) => {
                println!("{} on {}: {err:#}", contender.name, job.key);
                self.failed.insert(key, format!("{err:#}"));
            }
        }
    }

    /// Who failed on what, and why.
    pub(crate) fn failures(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.failed.iter().map(|((job, name), why)| (*name, *job, why.as_str()))
    }

    fn pairs(&self, job: &'static str, name: &'static str) -> &[Pair] {
        self.pairs.get(&(job, name)).map_or(&[], Vec::as_slice)
    }

    /// A number over the rounds.
    pub(crate) fn spread(
        &self,
        job: &'static str,
        contender: &Contender,
        number: impl Fn(&Sample) -> f64,
    ) -> Option<Spread> {
        Spread::of(self.pairs(job, contender.name).iter().map(|pair| number(&pair.run)).collect())
    }

    /// A number made of each run and the baseline's before it, in this order.
    pub(crate) fn against_baseline(
        &self,
        job: &'static str,
        contender: &Contender,
        number: impl Fn(&Sample, &Sample) -> f64,
    ) -> Option<Spread> {
        let pairs = self.pairs(job, contender.name).iter();
        Spread::of(pairs.map(|pair| number(&pair.run, &pair.base)).collect())
    }

    /// What it adds to an operation's processor time, in ns.
    pub(crate) fn added_ns(&self, job: &'static str, contender: &Contender) -> Option<Spread> {
        self.against_baseline(job, contender, |run, base| run.cpu_ns_per_op - base.cpu_ns_per_op)
    }

    /// The last run's recording.
    pub(crate) fn stacks(
        &self,
        job: &'static str,
        contender: &Contender,
    ) -> Option<(&Sample, Stacks)> {
        let last = &self.pairs(job, contender.name).last()?.run;
        Some((last, last.stacks?))
    }

    /// What each live block more costs beyond what it costs the baseline, in bytes.
    pub(crate) fn bytes_per_block(&self, contender: &Contender) -> Option<f64> {
        let added = |job| {
            let added = self.against_baseline(job, contender, |run, base| run.rss() - base.rss());
            added.map(|added| added.median)
        };
        Some((added("many-blocks")? - added("few-blocks")?) / (MANY_BLOCKS - FEW_BLOCKS) as f64)
    }
}

/// How many times the second the first is; nothing, where either is lost in noise.
pub(crate) fn compared(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    let (one, other) = one.zip(other)?;
    (one > 0.0 && other > 0.0).then(|| one / other)
}

/// Is it there, and is it what it should be?
fn probe(contender: &Contender, scratch: &Path) -> Result<()> {
    sample(contender, &["micro", "--ops", "1000"], scratch).map(drop)
}

fn pair(contender: &Contender, args: &[&str], scratch: &Path) -> Result<Pair> {
    if contender.is_baseline() {
        let run = sample(contender, args, scratch)?;
        return Ok(Pair { base: run.clone(), run });
    }
    let base = sample(contender.baseline(), args, scratch).context("its baseline")?;
    Ok(Pair { run: sample(contender, args, scratch)?, base })
}

fn sample(contender: &Contender, args: &[&str], scratch: &Path) -> Result<Sample> {
    let recording = contender.recording(scratch);
    let _ = std::fs::remove_file(&recording);
    let output = contender.command(scratch, args)?.output().context("it does not start")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let line = said.lines().find(|line| line.starts_with("{\"ops\""));
    let (true, Some(line)) = (output.status.success(), line) else {
        let complaint = String::from_utf8_lossy(&output.stderr);
        let last = complaint.lines().chain(said.lines()).last().unwrap_or("it said nothing");
        // The page is of no machine: only the file's name is left of where it was.
        let last = last.replace(&format!("{}/", scratch.display()), "");
        bail!("{}: {last}", output.status);
    };
    let mut sample: Sample = serde_json::from_str(line)?;
    if contender.records != Records::Nothing {
        sample.stacks = Some(stacks(&recording, contender.records)?);
    }
    Ok(sample)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_stands_between_the_extremes() {
        let spread = |values: &[f64]| Spread::of(values.to_vec());
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[3.0, 1.0, 9.0]), Some(Spread { median: 3.0, least: 1.0, most: 9.0 }));
        assert_eq!(
            spread(&[4.0, 1.0, 2.0, 9.0]),
            Some(Spread { median: 3.0, least: 1.0, most: 9.0 })
        );
    }
}
