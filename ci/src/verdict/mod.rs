//! Is the verdict right? Labelled made-up sites, judged by our rule and by the rules of others.
//!
//! The constants of the rule were chosen on [`tuning`]; the targets are held on [`untouched`].
//! Everything is seeded, so the figures are the same on every machine, and `docs/VERDICT.md`
//! quotes them: this check fails when it quotes others. `UPDATE=1` rewrites them.

mod peers;
mod shapes;
mod table;
mod trace;
mod tuning;
mod untouched;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use heaptide_analyze::verdict::{Class, Rule, e_value, judge_site};

use peers::PEERS;
use shapes::{Label, Shape};
use trace::Rhythm;
use tuning::TUNING;
use untouched::UNTOUCHED;

/// Runs of each shape and length.
const TUNING_SEEDS: u64 = 30;
const UNTOUCHED_SEEDS: u64 = 560;
const EXACT: [Rhythm; 2] = [Rhythm::Even, Rhythm::Uneven];
const SAMPLED: [Rhythm; 1] = [Rhythm::Sampled];
const NULL_WALKS: u64 = 20_000;
const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/VERDICT.md");
const FROM: &str = "<!-- figures: written by `UPDATE=1 cargo ci verdict` -->\n";

/// Results of one detector over some site-runs.
#[derive(Clone, Copy, Debug, Default)]
struct Score {
    leaks: u32,
    found: u32,
    healthy: u32,
    alarms: u32,
}

impl Score {
    fn count(&mut self, label: Label, flagged: bool) {
        let (all, hits) = match label {
            Label::Leak => (&mut self.leaks, &mut self.found),
            Label::Healthy => (&mut self.healthy, &mut self.alarms),
        };
        *all += 1;
        *hits += u32::from(flagged);
    }

    fn recall(&self) -> f64 {
        f64::from(self.found) / f64::from(self.leaks.max(1))
    }

    fn false_alarms(&self) -> f64 {
        f64::from(self.alarms) / f64::from(self.healthy.max(1))
    }
}

/// All detectors on one set of shapes at one length.
#[derive(Clone, Debug, Default)]
struct Results {
    ours: Score,
    peers: Vec<Score>,
    /// Shape and class: how often.
    classes: BTreeMap<(usize, Class), u32>,
}

/// Everything that is measured.
struct Figures {
    tuning: [Results; 2],
    untouched: [Results; 2],
    sampled: Results,
    /// Snapshots until a clean leak is called one, the median.
    decided_after: usize,
    /// The share of null walks whose e-value ever reaches 1/α.
    excessive: f64,
}

/// Judges all shapes, holds the rule to its targets, and the document to the figures.
pub(crate) fn run() -> anyhow::Result<()> {
    let figures = Figures {
        tuning: [40, 80].map(|n| judge_all(TUNING, n, TUNING_SEEDS, &EXACT)),
        untouched: [40, 80].map(|n| judge_all(UNTOUCHED, n, UNTOUCHED_SEEDS, &EXACT)),
        sampled: judge_all(UNTOUCHED, 80, TUNING_SEEDS, &SAMPLED),
        decided_after: decided_after(),
        excessive: excessive_walks(),
    };
    let text = table::figures(&figures);
    print!("{text}");
    document(&text)?;
    let [short, long] = &figures.untouched;
    let healthy = short.ours.healthy + long.ours.healthy;
    ensure!(healthy >= 20_000, "only {healthy} healthy site-runs were judged");
    let alarms = short.ours.alarms + long.ours.alarms + figures.sampled.ours.alarms;
    ensure!(alarms == 0, "{alarms} healthy sites were called leaks");
    ensure!(short.ours.recall() >= 0.95, "recall at 40 snapshots: {:.3}", short.ours.recall());
    ensure!(long.ours.recall() >= 0.99, "recall at 80 snapshots: {:.3}", long.ours.recall());
    let alpha = Rule::default().alpha;
    ensure!(figures.excessive <= alpha, "P(E ≥ 1/α) is {:.4}", figures.excessive);
    ensure!(figures.decided_after <= 20, "decided after {} snapshots", figures.decided_after);
    Ok(())
}

fn judge_all(shapes: &[Shape], n: usize, seeds: u64, rhythms: &[Rhythm]) -> Results {
    let mut results = Results { peers: vec![Score::default(); PEERS.len()], ..Results::default() };
    let rule = Rule::default();
    for (index, shape) in shapes.iter().enumerate() {
        for seed in 0..seeds {
            let rhythm = rhythms[seed as usize % rhythms.len()];
            let mut rng = fastrand::Rng::with_seed(seed * 1000 + index as u64);
            let trace = (shape.make)(n as f64, &mut rng);
            let seen = trace.record(n, rhythm, &mut rng);
            let class = judge_site(&seen.axis, &rule, &seen.series).class;
            results.ours.count(shape.label, class == Class::Leak);
            *results.classes.entry((index, class)).or_default() += 1;
            for (score, (_, flags)) in results.peers.iter_mut().zip(PEERS) {
                score.count(shape.label, flags(&seen));
            }
        }
    }
    results
}

/// The shortest run in which a clean leak is called a leak, over some seeds.
fn decided_after() -> usize {
    let is_leak = |n: usize, seed: u64| {
        let mut rng = fastrand::Rng::with_seed(seed);
        let trace = shapes::arrivals(n as f64, &mut rng, |_| 40.0, |_, _| shapes::FOREVER);
        let seen = trace.record(n, Rhythm::Even, &mut rng);
        judge_site(&seen.axis, &Rule::default(), &seen.series).class == Class::Leak
    };
    let first = |seed| (4..=80).find(|&n| is_leak(n, seed)).unwrap_or(usize::MAX);
    let mut decided: Vec<usize> = (0..TUNING_SEEDS).map(first).collect();
    decided.sort_unstable();
    decided[decided.len() / 2]
}

/// Populations that are as likely to fall as to rise, looked at after every step.
fn excessive_walks() -> f64 {
    let bound = 1.0 / Rule::default().alpha;
    let reaches = |seed: &u64| {
        let mut rng = fastrand::Rng::with_seed(*seed);
        let toss = |_| if rng.bool() { Ordering::Greater } else { Ordering::Less };
        let steps: Vec<Ordering> = (0..40).map(toss).collect();
        (1..=steps.len()).any(|k| e_value(&steps[..k]) >= bound)
    };
    (0..NULL_WALKS).filter(reaches).count() as f64 / NULL_WALKS as f64
}

/// Compares the figures with those in the document, or writes them there.
fn document(figures: &str) -> anyhow::Result<()> {
    let path = Path::new(DOCUMENT);
    let text = fs::read_to_string(path).context("docs/VERDICT.md")?;
    let (prose, quoted) =
        text.split_once(FROM).context("docs/VERDICT.md has no place for figures")?;
    if std::env::var_os("UPDATE").is_some() {
        return fs::write(path, format!("{prose}{FROM}{figures}")).context("docs/VERDICT.md");
    }
    ensure!(quoted == figures, "docs/VERDICT.md quotes other figures; UPDATE=1 writes these");
    Ok(())
}
