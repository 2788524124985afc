//! The figures as Markdown.

use std::fmt::Write as _;

use heaptide_analyze::verdict::Class;

use super::peers::PEERS;
use super::shapes::{Label, Shape};
use super::untouched::UNTOUCHED;
use super::{Figures, Results, Score};

pub(super) fn figures(figures: &Figures) -> String {
    let [short, long] = &figures.untouched;
    let mut text = String::from("\n### Against other rules\n\n");
    text.push_str(
        "Recall / share of false alarms, per site and run; intervals even and uneven.\n\n",
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
    text.push_str(&confusion("40 snapshots", UNTOUCHED, short));
    text.push_str(&confusion("80 snapshots", UNTOUCHED, long));
    text
}

fn row(name: &str, scores: [Score; 4]) -> String {
    let cell = |score: Score| format!(" {:.3} / {:.4} |", score.recall(), score.false_alarms());
    format!("| {name} |{}\n", scores.map(cell).concat())
}

/// What each shape of a set was judged to be, in per cent of its runs.
fn confusion(title: &str, shapes: &[Shape], results: &Results) -> String {
    let mut text = format!("\n### Untouched shapes, {title}, % of runs\n\n| shape |");
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
