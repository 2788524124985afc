//! The figures as Markdown.

use std::fmt::Write as _;

use heaptide_analyze::verdict::Class;

use super::made_up::{Figures, Results};
use super::peers::PEERS;
use super::replay::{self, Program};
use super::score::Score;
use super::shapes::{Label, Shape};
use super::untouched::UNTOUCHED;

pub(super) fn figures(figures: &Figures) -> String {
    let [short, long] = &figures.untouched;
    let mut text = String::from("\n### Against other rules\n\n");
    text.push_str(
        "Recall / share of false alarms, per site and run. A quarter of the runs each: at even \
         intervals; at uneven\nones with snapshots missing; with every second snapshot of the \
         first half dropped and a gap; beside\nthree healthy sites with counters of their own.\n\n",
    );
    text.push_str("| rule | tuning, 40 | tuning, 80 | untouched, 40 | untouched, 80 |\n");
    text.push_str("|---|---|---|---|---|\n");
    let columns = [&figures.tuning[0], &figures.tuning[1], short, long];
    text.push_str(&row("**Heaptide**", columns.map(|results| results.ours)));
    for (index, (name, _)) in PEERS.iter().enumerate() {
        text.push_str(&row(name, columns.map(|results| results.peers[index])));
    }
    let healthy = short.ours.healthy + long.ours.healthy;
    let alarms = short.ours.alarms + long.ours.alarms;
    let sampled = &figures.sampled.ours;
    let _ = write!(
        text,
        "\nAmong four sites of a process, the leaking one is the first finding in {} % of the \
         untouched runs, and the one that grew\nmost (last minus first, in bytes) in {} %.\n",
        percent(short.rank.share(), long.rank.share()),
        percent(short.rank_by_growth.share(), long.rank_by_growth.share()),
    );
    let _ = write!(
        text,
        "\nFalse alarms in {healthy} healthy site-runs of the untouched set: **{alarms}**.\n\
         One block in eight sampled, 80 snapshots: recall {:.3}, false alarms {} of {}.\n\
         A clean leak is called one after {} snapshots (median).\n\
         E reaches 1/α = 100 at any time in {:.2} % of populations that rise and fall by chance.\n",
        sampled.recall(),
        sampled.alarms,
        sampled.healthy,
        figures.decided_after,
        100.0 * figures.excessive,
    );
    text.push_str(&confusion("Untouched shapes, 40 snapshots", UNTOUCHED, short));
    text.push_str(&confusion("Untouched shapes, 80 snapshots", UNTOUCHED, long));
    text
}

fn row(name: &str, scores: [Score; 4]) -> String {
    let cell = |score: Score| format!(" {:.3} / {:.4} |", score.recall(), score.false_alarms());
    format!("| {name} |{}\n", scores.map(cell).concat())
}

/// What each shape of a set was judged to be, in per cent of its runs.
fn confusion(title: &str, shapes: &[Shape], results: &Results) -> String {
    let mut text = format!("\n### {title}, % of runs\n\n| shape |");
    text.push_str(&Class::ALL.map(|class| format!(" {} |", class.word())).concat());
    let _ = writeln!(text, "\n|---|{}", "--:|".repeat(Class::ALL.len()));
    for (index, shape) in shapes.iter().enumerate() {
        let count = |class| results.classes.get(&(index, class)).copied().unwrap_or(0);
        let all: u32 = Class::ALL.into_iter().map(count).sum();
        let cell = |class| match count(class) {
            0 => " |".to_owned(),
            some => format!(" {:.0} |", 100.0 * f64::from(some) / f64::from(all)),
        };
        let mark = if shape.label == Label::Leak { "leak: " } else { "" };
        let _ = writeln!(text, "| {mark}{} |{}", shape.name, Class::ALL.map(cell).concat());
    }
    text
}

/// Two shares, of the shorter and the longer runs.
fn percent(short: f64, long: f64) -> String {
    format!("{:.1} / {:.1}", 100.0 * short, 100.0 * long)
}

/// One line on a set.
pub(super) fn summary(results: &Results) -> String {
    let Results { ours, rank, rank_by_growth, .. } = results;
    format!(
        "recall {:.3}, {} false alarms of {}; first of four: {:.3}, by growth {:.3}",
        ours.recall(),
        ours.alarms,
        ours.healthy,
        rank.share(),
        rank_by_growth.share()
    )
}

/// The shapes that were judged wrong, and as what.
pub(super) fn mistakes(shapes: &[Shape], results: &Results) -> String {
    let mut text = String::new();
    for (index, shape) in shapes.iter().enumerate() {
        let count = |class| results.classes.get(&(index, class)).copied().unwrap_or(0);
        let is_wrong = |class: &Class| match shape.label {
            Label::Leak => *class != Class::Leak,
            Label::Healthy => *class <= Class::Suspect,
        };
        let wrong = Class::ALL.into_iter().filter(|class| is_wrong(class) && count(*class) > 0);
        let wrong: Vec<_> =
            wrong.map(|class| format!("{} times {}", count(class), class.word())).collect();
        if !wrong.is_empty() {
            let all: u32 = Class::ALL.into_iter().map(count).sum();
            let label = if shape.label == Label::Leak { "leak" } else { "healthy" };
            let _ = writeln!(text, "  {label} `{}`: of {all} {}", shape.name, wrong.join(", "));
        }
    }
    text
}

/// What became of the real programs.
pub(super) fn replays(programs: &[Program], results: &[replay::Results]) -> String {
    let mut text = String::from("\n### Real programs\n\n");
    let all = |count: fn(&replay::Results) -> u64| results.iter().map(count).sum::<u64>();
    let _ = writeln!(
        text,
        "{} healthy and {} leaking programs, {} sites in all, at 40 and 80 snapshots: recall / \
         share of false alarms.\n",
        all(|it| it.ours.healthy.into()),
        all(|it| it.ours.leaks.into()),
        all(|it| it.sites as u64),
    );
    text.push_str("| rule | 40 | 80 |\n|---|---|---|\n");
    let line = |name: &str, score: &dyn Fn(&replay::Results) -> Score| {
        let cell = |results| {
            let score = score(results);
            format!(" {:.3} / {:.4} |", score.recall(), score.false_alarms())
        };
        format!("| {name} |{}\n", results.iter().map(cell).collect::<String>())
    };
    text.push_str(&line("**Heaptide**", &|it| it.ours));
    for (index, (name, _)) in PEERS.iter().enumerate() {
        text.push_str(&line(name, &|it| it.peers[index]));
    }
    text.push_str("\n| leaking program, % of runs | leak, 40 | suspect | first | leak, 80 | suspect | first |\n");
    text.push_str("|---|--:|--:|--:|--:|--:|--:|\n");
    for (index, program) in programs.iter().enumerate().filter(|(_, it)| it.label == Label::Leak) {
        let cells = |results: &replay::Results| {
            let replays = &results.by_program[index];
            let share = |count: u32| 100.0 * f64::from(count) / f64::from(replays.played.max(1));
            let [leak, suspect, first] = [replays.leak, replays.suspect, replays.first].map(share);
            format!(" {leak:.0} | {suspect:.0} | {first:.0} |")
        };
        let cells: String = results.iter().map(cells).collect();
        let _ = writeln!(text, "| {} |{cells}", program.name);
    }
    text
}
