//! The picture: what everybody adds to an allocation, and what is left of a service's requests.

use std::fmt::Write as _;

use crate::contender::{ALL, Contender};
use crate::markdown::number;
use crate::results::Results;

const ROW: usize = 24;
const TOP: usize = 64;
const LABELS: usize = 230;
const PANEL: usize = 300;
const GAP: usize = 90;
const WIDTH: usize = LABELS + PANEL + GAP + PANEL + 60;
/// The axis of additions is logarithmic and begins here: less cannot be told from nothing.
const LEAST_NS: f64 = 0.5;
const OURS: &str = "#0b7285";
const OTHERS: &str = "#adb5bd";

/// One row of both panels.
struct Bar {
    name: &'static str,
    colour: &'static str,
    added_ns: Option<f64>,
    kept_percent: Option<f64>,
}

/// The picture as SVG.
pub(crate) fn svg(results: &Results) -> String {
    let there = |contender: &&&Contender| {
        !contender.is_baseline() && !results.absent.contains_key(contender.name)
    };
    let bars: Vec<Bar> =
        ALL.iter().filter(there).map(|contender| bar(results, contender)).collect();
    let most_ns = bars.iter().filter_map(|bar| bar.added_ns).fold(10.0, f64::max);
    let height = TOP + bars.len() * ROW + 20;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" font-family=\"system-ui, sans-serif\" font-size=\"13\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    );
    let right = LABELS + PANEL + GAP;
    title(
        &mut svg,
        LABELS,
        "ns added to an allocation and its free",
        "logarithmic; shorter is better",
    );
    title(
        &mut svg,
        right,
        "% of a service's requests kept",
        "per second of its processor; longer is better",
    );
    for (row, bar) in bars.iter().enumerate() {
        let y = TOP + row * ROW;
        text(&mut svg, LABELS - 8, y + 15, "end", "#212529", bar.name);
        let share = |ns: f64| (ns.max(LEAST_NS) / LEAST_NS).ln() / (most_ns / LEAST_NS).ln();
        draw(&mut svg, (LABELS, y), bar.colour, bar.added_ns.map(|ns| (ns, share(ns))));
        let share = |percent: f64| percent.clamp(0.0, 110.0) / 110.0;
        draw(&mut svg, (right, y), bar.colour, bar.kept_percent.map(|kept| (kept, share(kept))));
    }
    svg + "</svg>\n"
}

fn bar(results: &Results, contender: &'static Contender) -> Bar {
    let kept = results.against_baseline("axum", contender, |run, base| {
        100.0 * base.cpu_ns_per_op / run.cpu_ns_per_op
    });
    Bar {
        name: contender.name,
        colour: if contender.is_ours() { OURS } else { OTHERS },
        added_ns: results.added_ns("micro", contender).map(|added| added.median),
        kept_percent: kept.map(|kept| kept.median),
    }
}

/// A bar of its share of the panel, with its number behind it.
fn draw(svg: &mut String, (x, y): (usize, usize), colour: &str, bar: Option<(f64, f64)>) {
    let Some((value, share)) = bar else {
        return text(svg, x + 4, y + 15, "start", "#868e96", "not measured");
    };
    let width = (share * PANEL as f64).round().max(1.0) as usize;
    let _ = writeln!(
        svg,
        "<rect x=\"{x}\" y=\"{}\" width=\"{width}\" height=\"{}\" fill=\"{colour}\"/>",
        y + 3,
        ROW - 7
    );
    text(svg, x + width + 5, y + 15, "start", "#212529", &number(value));
}

fn title(svg: &mut String, x: usize, what: &str, how: &str) {
    let _ = writeln!(
        svg,
        "<text x=\"{x}\" y=\"28\" font-weight=\"600\" font-size=\"15\" fill=\"#212529\">{what}</text>"
    );
    text(svg, x, 48, "start", "#868e96", how);
}

fn text(svg: &mut String, x: usize, y: usize, anchor: &str, colour: &str, what: &str) {
    let _ = writeln!(
        svg,
        "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\" fill=\"{colour}\">{what}</text>"
    );
}
