//! What the rule says of every recording, counted.

use std::collections::BTreeMap;
use std::ops::Range;
use std::thread;

use anyhow::Result;
use heaptide_analyze::Terms;
use heaptide_analyze::symbols::RecordedOnly;
use heaptide_analyze::verdict::{Channel, Class};

use super::recordings::{self, Label, Program};

/// The worst finding of a run.
#[derive(Clone, Debug)]
struct Found {
    class: Class,
    channel: Channel,
    function: String,
}

/// Verdicts by program and seed.
#[derive(Clone, Debug, Default)]
pub(super) struct Results {
    runs: BTreeMap<(usize, u64), Option<Found>>,
}

/// Judges every recording of these seeds and this length.
pub(super) fn judge_all(programs: &[Program], seeds: Range<u64>, n: usize) -> Result<Results> {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let seeds = &seeds;
    let judge = |worker: usize| -> Result<Vec<_>> {
        let mine = (worker..programs.len()).step_by(workers);
        let tasks = mine.flat_map(|program| seeds.clone().map(move |seed| (program, seed)));
        tasks.map(|(at, seed)| Ok(((at, seed), worst(&programs[at], n, seed)?))).collect()
    };
    let mut results = Results::default();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|k| scope.spawn(move || judge(k))).collect();
        threads.into_iter().try_for_each(|thread| {
            results.runs.extend(thread.join().expect("a judge panicked")?);
            Ok(())
        })
    })
    .map(|()| results)
}

fn worst(program: &Program, n: usize, seed: u64) -> Result<Option<Found>> {
    let recording = recordings::path(program, n, seed);
    let report = heaptide_analyze::judge(&[recording], &mut RecordedOnly, &Terms::default())?;
    Ok(report.findings().next().map(|finding| Found {
        class: finding.class,
        channel: finding.lead().verdict.channel,
        function: finding.blamed.function.clone(),
    }))
}

impl Results {
    /// How many runs of the programs are a leak, suspect, and neither.
    fn counts(&self, wanted: impl Fn(usize) -> bool) -> [usize; 3] {
        let mut counts = [0; 3];
        for (_, found) in self.runs.iter().filter(|((program, _), _)| wanted(*program)) {
            counts[match found {
                Some(Found { class: Class::Leak, .. }) => 0,
                Some(_) => 1,
                None => 2,
            }] += 1;
        }
        counts
    }

    /// The share of the runs of the wanted programs, given by their place, that are called a leak.
    pub(super) fn share_of_leaks(&self, wanted: impl Fn(usize) -> bool) -> f64 {
        let [leaks, suspects, clean] = self.counts(wanted);
        leaks as f64 / ((leaks + suspects + clean) as f64).max(1.0)
    }

    /// A line for each program, and one for each label.
    pub(super) fn table(&self, programs: &[Program]) -> String {
        let line = |name: &str, label: &str, [leak, suspect, clean]: [usize; 3]| {
            format!("{name:<26} {label:<8} {leak:>5} {suspect:>7} {clean:>5}\n")
        };
        let mut table = format!("{:<26} {:<8}  leak suspect clean\n", "program", "is");
        for (at, program) in programs.iter().enumerate() {
            let counts = self.counts(|it| it == at);
            table += &line(&program.name, &format!("{:?}", program.label), counts);
        }
        for label in [Label::Healthy, Label::Open, Label::Leak] {
            let counts = self.counts(|it| programs[it].label == label);
            let share = 100.0 * self.share_of_leaks(|at| programs[at].label == label);
            table += line("all", &format!("{label:?}"), counts).trim_end();
            table += &format!("  {share:.2} % are a leak\n");
        }
        table
    }

    /// Healthy runs that are a leak, and leaks that are none.
    pub(super) fn mistakes(&self, programs: &[Program]) -> String {
        let mut mistakes = String::new();
        for ((at, seed), found) in &self.runs {
            let Program { name, label } = &programs[*at];
            let class = found.as_ref().map(|it| it.class);
            if (class == Some(Class::Leak)) != (*label == Label::Leak) {
                let what = found
                    .as_ref()
                    .map(|it| format!("{} by {:?}: {}", it.class.word(), it.channel, it.function));
                let what = what.unwrap_or_else(|| "nothing was found".into());
                mistakes += &format!("{name}, seed {seed}: {what}\n");
            }
        }
        mistakes
    }
}
