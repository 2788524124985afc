//! What is run, how often, and what the caller chose of it.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};

use crate::contender::{Contender, EXACT, SYSTEM_ALONE, Under};

/// Workloads that are timed under everybody.
pub(crate) const TIMED: [&str; 13] = [
    "micro",
    "json",
    "btree",
    "axum",
    "threads-1",
    "threads-2",
    "threads-4",
    "threads-8",
    "sites-5000",
    "sites-33000",
    "stacks-unbounded",
    "deep-150",
    "thread-churn",
];
/// Blocks of the two runs whose difference says what one more block costs.
pub(crate) const FEW_BLOCKS: u64 = 250_000;
/// A million more: that resident memory comes in pages is then nothing in one block.
pub(crate) const MANY_BLOCKS: u64 = 1_250_000;
/// Rounds of all threads over all stacks.
const CROWD_ROUNDS: u64 = 4;
/// Names of what is not one timed workload.
pub(crate) const GROUPS: [&str; 4] = ["latency", "memory", "start", "instructions"];
/// Long enough for a few dozen answers beyond the last of a thousand.
const LATENCY_MS: u64 = 2_000;

/// How much is measured.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    pub(crate) ms: u64,
    only: BTreeSet<String>,
}

/// One thing to run under some contenders.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) key: &'static str,
    pub(crate) args: Vec<String>,
    pub(crate) rounds: usize,
    pub(crate) whom: fn(&Contender) -> bool,
}

impl Plan {
    /// `BENCH_ROUNDS`, `BENCH_MS` and `BENCH_ONLY`, or the defaults.
    pub(crate) fn of_environment() -> Result<Self> {
        let number = |name: &str, default: u64| match std::env::var(name) {
            Ok(text) => text.parse().with_context(|| format!("{name}={text} is not a number")),
            Err(_) => Ok(default),
        };
        let chosen = std::env::var("BENCH_ONLY").unwrap_or_default();
        let only: BTreeSet<String> =
            chosen.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        for name in &only {
            let known = TIMED.iter().chain(&GROUPS).any(|known| known == name);
            let all = [&TIMED[..], &GROUPS].concat().join(", ");
            ensure!(known, "BENCH_ONLY: `{name}` is none of {all}");
        }
        let rounds = usize::try_from(number("BENCH_ROUNDS", 5)?)?.max(1);
        Ok(Self { rounds, ms: number("BENCH_MS", 300)?, only })
    }

    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.contains(name)
    }

    /// Whether nothing is left out.
    pub(crate) fn is_whole(&self) -> bool {
        self.only.is_empty()
    }

    /// All that is to be run in turns.
    pub(crate) fn jobs(&self) -> Vec<Job> {
        let timed = TIMED.iter().filter(|name| self.wants(name)).map(|&key| Job {
            key,
            args: vec![key.into(), "--ms".into(), self.ms.to_string()],
            rounds: self.rounds,
            whom: |_| true,
        });
        timed.chain(self.latency()).chain(self.memory()).chain(self.start()).collect()
    }

    fn latency(&self) -> Option<Job> {
        self.wants("latency").then(|| Job {
            key: "axum-paced",
            args: vec!["axum-paced".into(), "--ms".into(), LATENCY_MS.to_string()],
            rounds: self.rounds,
            // In a virtual machine nothing is due in time.
            whom: |contender| contender.under != Under::ValgrindDhat,
        })
    }

    fn memory(&self) -> Vec<Job> {
        let job = |key, workload: &str, ops: u64| Job {
            key,
            args: vec![workload.into(), "--ops".into(), ops.to_string()],
            rounds: 1,
            // Of a program in a virtual machine there is no telling.
            whom: |contender| contender.under != Under::ValgrindDhat,
        };
        let all = [
            job("micro-memory", "micro", 100_000),
            job("few-blocks", "small-live", FEW_BLOCKS),
            job("many-blocks", "small-live", MANY_BLOCKS),
            job("crowd-32", "crowd-32", CROWD_ROUNDS),
            Job {
                key: "crowd-epochs",
                args: vec!["crowd-epochs".into()],
                rounds: 1,
                whom: ours_and_alone,
            },
        ];
        all.into_iter().filter(|_| self.wants("memory")).collect()
    }

    fn start(&self) -> Vec<Job> {
        let job = |key, rounds, whom| Job { key, args: vec![String::from(key)], rounds, whom };
        let exact: fn(&Contender) -> bool = |contender| contender.name == EXACT.name;
        let all = [
            job("start", 4 * self.rounds, ours_and_alone),
            job("snapshot-10000", self.rounds, exact),
        ];
        all.into_iter().filter(|_| self.wants("start")).collect()
    }
}

/// Heaptide exact, and what it is compared with.
fn ours_and_alone(contender: &Contender) -> bool {
    [SYSTEM_ALONE.name, EXACT.name].contains(&contender.name)
}
