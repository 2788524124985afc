//! `cargo ci instructions`: what the hook adds to an allocation and its free, in instructions.
//!
//! Time varies with the day and the machine; instructions hardly do. So this is the gate: the bounds
//! of `crates/heaptide-bench/instructions.toml` were counted once, and more than a few per cent above them fails.
//! `UPDATE=1` writes what is counted now.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::callgrind::per_op;
use crate::contender::{ARMED, Contender, EXACT, OFF, SAMPLED, SYSTEM_ALONE, scratch};
use ci::program::{root, write_if_changed};

/// Operations of the two runs whose difference counts.
pub(crate) const MICRO: [u64; 2] = [100_000, 400_000];
/// The same where every operation is a new stack, which costs some thirty times as much.
pub(crate) const NEW_STACKS: [u64; 2] = [10_000, 30_000];
/// What compilers and C libraries may differ by.
const TOLERANCE_PERCENT: f64 = 3.0;
/// Off must do as good as nothing, whatever the bounds say.
const OFF_PERCENT: f64 = 3.0;

const ABOUT: &str = "\
# Instructions that the shim adds to an allocation and its free, under callgrind: the gate of
# `cargo ci instructions`, which fails above these by more than a few per cent.
# Rewritten by `UPDATE=1 cargo ci instructions`.
";

/// One number that is held.
struct Gauge {
    key: &'static str,
    contender: &'static Contender,
    workload: &'static str,
    ops: [u64; 2],
}

static GAUGES: [Gauge; 5] = [
    Gauge { key: "off", contender: &OFF, workload: "micro", ops: MICRO },
    Gauge { key: "armed", contender: &ARMED, workload: "micro", ops: MICRO },
    Gauge { key: "sampled", contender: &SAMPLED, workload: "micro", ops: MICRO },
    Gauge { key: "exact_hit", contender: &EXACT, workload: "micro", ops: MICRO },
    Gauge { key: "exact_miss", contender: &EXACT, workload: "new-stacks", ops: NEW_STACKS },
];

#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct Bounds {
    /// By key of a gauge.
    added: BTreeMap<String, f64>,
}

pub(crate) fn run() -> Result<()> {
    SYSTEM_ALONE.prepare()?;
    EXACT.prepare()?;
    let scratch = scratch()?;
    let system = BTreeMap::from([
        ("micro", per_op(&SYSTEM_ALONE, "micro", MICRO, &scratch)?),
        ("new-stacks", per_op(&SYSTEM_ALONE, "new-stacks", NEW_STACKS, &scratch)?),
    ]);
    let mut added = BTreeMap::new();
    for gauge in &GAUGES {
        let all = per_op(gauge.contender, gauge.workload, gauge.ops, &scratch)?;
        added.insert(gauge.key.to_owned(), rounded(all - system[gauge.workload]));
    }
    let path = root().join("crates/heaptide-bench/instructions.toml");
    if std::env::var_os("UPDATE").is_some() {
        let text = format!("{ABOUT}\n{}", toml::to_string(&Bounds { added: added.clone() })?);
        write_if_changed(&path, text.as_bytes())?;
    }
    judge(&added, &bounds(&path)?, system["micro"])
}

fn bounds(path: &Path) -> Result<Bounds> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    toml::from_str(&text).with_context(|| path.display().to_string())
}

fn rounded(instructions: f64) -> f64 {
    (instructions * 10.0).round() / 10.0
}

/// Prints each number beside its bound; those over it are the error.
fn judge(added: &BTreeMap<String, f64>, bounds: &Bounds, system: f64) -> Result<()> {
    println!("System: {system:.1} instructions per operation of the micro workload; added to it:");
    let mut over = Vec::new();
    for (key, &counted) in added {
        let bound = *bounds.added.get(key).with_context(|| format!("no bound for `{key}`"))?;
        println!("  {key:<11} {counted:>8.1}, at most {bound:.1}{}", remark(counted, bound));
        if counted > allowed(bound) {
            over.push(format!("{key} adds {counted:.1} instructions, more than {bound:.1}"));
        }
    }
    let off = added.get("off").copied().unwrap_or_default();
    if off.abs() > system * OFF_PERCENT / 100.0 {
        over.push(format!("off adds {off:.1} to {system:.1}, more than {OFF_PERCENT} %"));
    }
    ensure!(over.is_empty(), "{}", over.join("; "));
    Ok(())
}

/// A few per cent more, and one instruction, or the smallest bounds would have no room at all.
fn allowed(bound: f64) -> f64 {
    bound * (1.0 + TOLERANCE_PERCENT / 100.0) + 1.0
}

fn remark(counted: f64, bound: f64) -> &'static str {
    if allowed(counted) < bound { " (better: lower the bound with UPDATE=1)" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(exact: f64, off: f64, holds: bool) {
        let table = |exact, off| BTreeMap::from([("exact".into(), exact), ("off".into(), off)]);
        let bounds = Bounds { added: table(200.0, 40.0) };
        assert_eq!(judge(&table(exact, off), &bounds, 500.0).is_ok(), holds, "{exact} {off}");
    }

    #[test]
    fn a_bound_holds_until_it_is_exceeded_by_a_few_per_cent() {
        check(150.0, 2.0, true);
        check(206.0, 2.0, true);
        check(208.0, 2.0, false);
    }

    #[test]
    fn off_is_held_to_the_system_whatever_the_bounds_say() {
        check(200.0, 14.0, true);
        check(200.0, 16.0, false);
        check(200.0, -16.0, false);
    }
}
