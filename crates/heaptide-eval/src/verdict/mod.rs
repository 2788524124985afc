//! Is the verdict right? Labelled programs, made up and real, judged by our rule and by the rules
//! of others.
//!
//! The constants of the rule were chosen on [`tuning`]; the targets are held on [`untouched`] and
//! on the real programs of [`replay`]. What is made up is seeded, so those figures are the same on
//! every machine, and `docs/VERDICT.md` quotes them: this check fails when it quotes others.
//! `UPDATE=1` rewrites them. `VERDICT=tuning` shows the tuning set alone, shape by shape: that is
//! what a change of the rule is made with, so that the other set stays untouched; `VERDICT=replays`
//! plays the real programs alone.

mod made_up;
mod peers;
mod pictures;
mod replay;
mod score;
mod shapes;
mod table;
mod tuning;
mod untouched;

use std::fs;

use anyhow::{Context, Result, bail, ensure};
use ci::program::root;
use heaptide_analyze::verdict::Rule;
use heaptide_synthetic::Rhythm;

use made_up::{Figures, LENGTHS, judge_all};
use tuning::TUNING;
use untouched::UNTOUCHED;

/// Runs of each shape and length: ten in each of the four rhythms, so that a shape that is judged
/// differently in one of them shows.
const TUNING_SEEDS: u64 = 40;
/// Six times as many where shares are held to targets of half a percent.
const UNTOUCHED_SEEDS: u64 = 240;
const EXACT: [Rhythm; 4] = [Rhythm::Even, Rhythm::Uneven, Rhythm::Gaps, Rhythm::Company];
const SAMPLED: [Rhythm; 1] = [Rhythm::Sampled];
/// The figures of the document begin here; these are the same on every machine.
const FROM: &str = "<!-- figures: written by `UPDATE=1 cargo ci verdict` -->\n";
/// What follows here depends on the machine, and is quoted from one run.
const REPLAYS: &str = "<!-- replays: written by `UPDATE=1 cargo ci verdict` -->\n";

/// Judges all shapes, holds the rule to its targets, and the document to the figures.
pub fn run() -> Result<()> {
    match std::env::var("VERDICT").as_deref() {
        Ok("tuning") => {
            show_tuning();
            Ok(())
        }
        Ok("replays") => replays(),
        Ok(other) => bail!("VERDICT is `tuning`, `replays` or not set, not `{other}`"),
        Err(_) => everything(),
    }
}

fn show_tuning() {
    for n in LENGTHS {
        for rhythm in [&EXACT[..], &SAMPLED].concat() {
            let results = judge_all(TUNING, n, TUNING_SEEDS / 4, &[rhythm]);
            println!("\n{n} snapshots, {rhythm:?}: {}", table::summary(&results));
            print!("{}", table::mistakes(TUNING, &results));
        }
    }
}

/// The real programs alone.
fn replays() -> Result<()> {
    let (programs, results) = replay::run()?;
    print!("{}", table::replays(&programs, &results));
    hold_replays(&results)
}

fn everything() -> Result<()> {
    let figures = Figures {
        tuning: LENGTHS.map(|n| judge_all(TUNING, n, TUNING_SEEDS, &EXACT)),
        untouched: LENGTHS.map(|n| judge_all(UNTOUCHED, n, UNTOUCHED_SEEDS, &EXACT)),
        sampled: judge_all(UNTOUCHED, 80, TUNING_SEEDS, &SAMPLED),
        decided_after: made_up::decided_after(TUNING_SEEDS),
        excessive: made_up::excessive_walks(),
    };
    let text = table::figures(&figures);
    print!("{text}");
    let (programs, results) = replay::run()?;
    let replayed = table::replays(&programs, &results);
    print!("{replayed}");
    pictures::check()?;
    document(&text, &replayed)?;
    hold(&figures)?;
    hold_replays(&results)
}

/// What the real programs are held to. Their snapshots come when the machine gets to it, so the
/// bounds leave room for one that is busy.
fn hold_replays(results: &[replay::Results]) -> Result<()> {
    let healthy: u32 = results.iter().map(|it| it.ours.healthy).sum();
    let alarms: u32 = results.iter().map(|it| it.ours.alarms).sum();
    ensure!(200 * alarms <= healthy, "{alarms} of {healthy} healthy programs were accused");
    for ((n, least), results) in LENGTHS.iter().zip([0.85, 0.9]).zip(results) {
        let recall = results.ours.recall();
        ensure!(recall >= least, "recall over real programs at {n} snapshots: {recall:.3}");
    }
    Ok(())
}

/// The targets.
fn hold(figures: &Figures) -> Result<()> {
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

/// Compares the figures with those in the document, or writes them there.
fn document(figures: &str, replays: &str) -> Result<()> {
    let path = root().join("docs/VERDICT.md");
    let text = fs::read_to_string(&path).context("docs/VERDICT.md")?;
    let (prose, rest) =
        text.split_once(FROM).context("docs/VERDICT.md has no place for figures")?;
    let (quoted, _) =
        rest.split_once(REPLAYS).context("docs/VERDICT.md has no place for replays")?;
    if std::env::var_os("UPDATE").is_some() {
        let text = format!("{prose}{FROM}{figures}\n{REPLAYS}{replays}");
        return fs::write(path, text).context("docs/VERDICT.md");
    }
    ensure!(
        quoted.trim_end() == figures.trim_end(),
        "docs/VERDICT.md quotes other figures; UPDATE=1 writes these"
    );
    Ok(())
}
