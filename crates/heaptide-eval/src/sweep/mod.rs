//! `cargo ci sweep`: real containers with a known verdict, over many seeds.
//!
//! The programs of `heaptide-sweep` are played once for each seed and length, and their recordings kept
//! below the target directory; every later call only judges them, so that a change of the rule is
//! seen in seconds. The constants of the rule may be chosen on the first half of the seeds; the
//! targets are held on the second half. `SWEEP=tuning` judges the first half alone and names every
//! run that was judged wrong; `SWEEP=untouched` the second half alone; `SWEEP=again` plays everything
//! anew.

mod recordings;
mod results;

use anyhow::{Result, bail, ensure};

use recordings::{Label, Program};
use results::{Results, judge_all};

/// Seeds on which the rule may be tuned, and those on which it is held to its targets.
const TUNING: std::ops::Range<u64> = 1..101;
const UNTOUCHED: std::ops::Range<u64> = 101..201;
/// Snapshots of a run, and the least recall over the leaking programs.
const LENGTHS: [(usize, f64); 2] = [(40, 0.95), (80, 0.99)];
/// A map from which most entries are removed and some never: its elements lie in its one block, which
/// steps by doubling, so whether it steps again before the run ends is chance. It misses the target of
/// the others, which would hide what they lose; half of its runs is what it is held to.
const RARELY_STEPS: (&str, f64) = ("abandoned", 0.5);
/// The largest share of healthy runs that may be called a leak.
const MOST_ALARMS: f64 = 0.005;

/// Plays what is missing, judges everything, and holds the rule to its targets.
///
/// # Errors
///
/// If a target is missed, or a program cannot be built, played or judged.
pub fn run() -> Result<()> {
    let what = std::env::var("SWEEP").unwrap_or_default();
    let (halves, again) = match what.as_str() {
        "" => (&[TUNING, UNTOUCHED][..], false),
        "tuning" => (&[TUNING][..], false),
        "untouched" => (&[UNTOUCHED][..], false),
        "again" => (&[TUNING, UNTOUCHED][..], true),
        other => bail!("SWEEP is `tuning`, `untouched`, `again` or not set, not `{other}`"),
    };
    let programs = recordings::programs()?;
    let mut wrong = Vec::new();
    for (n, least_recall) in LENGTHS {
        for seeds in halves {
            recordings::record(&programs, seeds.clone(), n, again)?;
            let results = judge_all(&programs, seeds.clone(), n)?;
            println!("\n{n} snapshots, seeds {seeds:?}\n{}", results.table(&programs));
            if what == "tuning" {
                print!("{}", results.mistakes(&programs));
            } else if *seeds == UNTOUCHED {
                wrong.extend(complaints(&programs, &results, n, least_recall));
            }
        }
    }
    wrong.iter().for_each(|wrong| println!("{wrong}"));
    ensure!(wrong.is_empty(), "{} targets are missed", wrong.len());
    Ok(())
}

fn complaints(programs: &[Program], results: &Results, n: usize, least: f64) -> Vec<String> {
    let (rare, least_of_rare) = RARELY_STEPS;
    let is_leak = |program: &Program| program.label == Label::Leak;
    let alarms = results.share_of_leaks(|at| programs[at].label == Label::Healthy);
    let recall = results.share_of_leaks(|at| is_leak(&programs[at]) && programs[at].name != rare);
    let recall_of_rare = results.share_of_leaks(|at| programs[at].name == rare);
    println!(
        "{n} snapshots: {:.2} % of leaks are found beside `{rare}`, and {:.0} % there",
        100.0 * recall,
        100.0 * recall_of_rare
    );
    let mut wrong = Vec::new();
    if alarms > MOST_ALARMS {
        wrong.push(format!("{n} snapshots: {:.2} % of healthy runs are a leak", 100.0 * alarms));
    }
    if recall < least {
        wrong.push(format!("{n} snapshots: {:.2} % of leaks are found", 100.0 * recall));
    }
    if recall_of_rare < least_of_rare {
        wrong.push(format!("{n} snapshots: {:.0} % of `{rare}` are found", 100.0 * recall_of_rare));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A few seeds of each program, in the seconds that a test may take. Of some 70 healthy runs more
    /// than two are no accident where one in 200 may be accused.
    #[test]
    fn a_few_seeds_are_judged_as_the_many_are() -> Result<()> {
        let (seeds, n) = (1..4, 40);
        let programs = recordings::programs()?;
        recordings::record(&programs, seeds.clone(), n, false)?;
        let results = judge_all(&programs, seeds, n)?;
        let share = |label| results.share_of_leaks(|at| programs[at].label == label);
        let (alarms, recall) = (share(Label::Healthy), share(Label::Leak));
        assert!(alarms <= 0.03 && recall >= 0.95, "{}", results.table(&programs));
        Ok(())
    }
}
