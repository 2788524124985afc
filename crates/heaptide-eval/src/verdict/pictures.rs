//! The pictures of `docs/VERDICT.md`, drawn from made-up sites as the rule sees them.

use std::cmp::Ordering;
use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use heaptide_analyze::verdict::e_value;
use heaptide_synthetic::{Rhythm, Seen, Trace, record};

use super::shapes::{FOREVER, arrivals, exp, fifo, flushed};
use crate::curve::Curve;
use ci::program::root;

const SNAPSHOTS: usize = 60;
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 220.0;
const MARGIN: f64 = 36.0;
/// Room for the names of the lines.
const NAMES: f64 = 110.0;
const COLOURS: [&str; 4] = ["#c0392b", "#2471a3", "#b9770e", "#1e8449"];

/// A line and its name.
type Line = (&'static str, Vec<f64>);

/// Compares the pictures with the files, or writes them.
pub(super) fn check() -> Result<()> {
    let update = std::env::var_os("UPDATE").is_some();
    let folder = root().join("docs/verdict");
    for (name, picture) in pictures() {
        let path = folder.join(name);
        if update {
            fs::create_dir_all(&folder)?;
            fs::write(&path, picture).with_context(|| path.display().to_string())?;
        } else {
            let drawn = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            ensure!(drawn == picture, "docs/verdict/{name} is out of date; UPDATE=1 draws it anew");
        }
    }
    Ok(())
}

fn pictures() -> [(&'static str, String); 3] {
    let n = SNAPSHOTS as f64;
    let seen = |seed: u64, make: &dyn Fn(&mut Rng) -> Trace| {
        let mut rng = Rng::with_seed(seed);
        let trace = make(&mut rng);
        record(&[trace], SNAPSHOTS, Rhythm::Even, &mut rng)
    };
    let sites: [(&str, Seen); 4] = [
        ("a leak", seen(1, &|rng| arrivals(n, rng, |_| 14.0, |_, _| FOREVER))),
        ("a cache", seen(2, &|rng| fifo(n, rng, 36.0, 0.45))),
        ("batches", seen(3, &|rng| flushed(n, rng, |_| 40.0, 0.27))),
        (
            "load",
            seen(4, &|rng| arrivals(n, rng, move |t| 40.0 + 440.0 * t / n, |_, rng| exp(1.6, rng))),
        ),
    ];
    let live = sites.iter().map(|(name, seen)| (*name, Curve::of_site(&seen.sites[0]).live));
    let old: Vec<Line> = sites.iter().map(|(name, seen)| (*name, mature(seen))).collect();
    let evidence = old.iter().map(|(name, old)| (*name, e_values(old)));
    [
        ("live.svg", draw("live blocks: everything rises", &live.collect::<Vec<_>>(), &[])),
        ("old.svg", draw("blocks born after warm-up that have grown old", &old, &[])),
        (
            "evidence.svg",
            draw(
                "evidence that old blocks pile up (log₁₀ E)",
                &evidence.collect::<Vec<_>>(),
                &[2.0],
            ),
        ),
    ]
}

fn mature(seen: &Seen) -> Vec<f64> {
    let series = &seen.sites[0].series;
    (0..seen.axis.len()).map(|slot| series.row(slot).mature_objects as f64).collect()
}

/// The e-value after each step, as a power of ten.
fn e_values(old: &[f64]) -> Vec<f64> {
    let steps: Vec<Ordering> = old.windows(2).map(|pair| pair[1].total_cmp(&pair[0])).collect();
    (0..=steps.len()).map(|k| e_value(&steps[..k]).log10().clamp(-1.0, 6.0)).collect()
}

/// Lines over the snapshots, and marks across at some heights.
fn draw(title: &str, lines: &[Line], marks: &[f64]) -> String {
    let values = || lines.iter().flat_map(|(_, values)| values.iter().copied());
    let (least, most) = (values().fold(0.0, f64::min), values().fold(1.0, f64::max));
    let x = |k: usize| MARGIN + k as f64 * (WIDTH - MARGIN - NAMES) / (SNAPSHOTS - 1) as f64;
    let y =
        |value: f64| HEIGHT - MARGIN - (value - least) * (HEIGHT - 2.0 * MARGIN) / (most - least);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{MARGIN}\" y=\"20\" font-weight=\"bold\">{title}</text>\n"
    );
    let right = x(SNAPSHOTS - 1);
    let mut across = |height: f64, colour: &str, dashes: &str| {
        let _ = writeln!(
            svg,
            "<path d=\"M{MARGIN} {0:.1}H{right:.1}\" stroke=\"{colour}\" stroke-dasharray=\"{dashes}\"/>\n\
             <text x=\"{1}\" y=\"{2:.1}\" text-anchor=\"end\" fill=\"#555\">{height:.0}</text>",
            y(height),
            MARGIN - 4.0,
            y(height) + 4.0,
        );
    };
    across(0.0, "#999", "none");
    across(most, "#ddd", "none");
    marks.iter().for_each(|&mark| across(mark, "#555", "4 3"));
    for (index, (name, height)) in labels(lines, y).into_iter().enumerate() {
        let points: Vec<String> = lines[index]
            .1
            .iter()
            .enumerate()
            .map(|(k, &value)| format!("{:.1},{:.1}", x(k), y(value)))
            .collect();
        let _ = writeln!(
            svg,
            "<polyline fill=\"none\" stroke-width=\"2\" stroke=\"{0}\" points=\"{1}\"/>\n\
             <text x=\"{2:.1}\" y=\"{height:.1}\" fill=\"{0}\">{name}</text>",
            COLOURS[index],
            points.join(" "),
            right + 8.0,
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{right:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#555\">snapshots</text>\n</svg>",
        HEIGHT - 12.0
    );
    svg
}

/// Where each line's name stands: at its end, but no two on top of each other.
fn labels(lines: &[Line], y: impl Fn(f64) -> f64) -> Vec<(&'static str, f64)> {
    let end = |(name, values): &Line| (*name, y(values.last().copied().unwrap_or(0.0)) + 4.0);
    let mut labels: Vec<(&str, f64)> = lines.iter().map(end).collect();
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.sort_by(|&a, &b| labels[b].1.total_cmp(&labels[a].1));
    for pair in order.windows(2) {
        let highest = labels[pair[0]].1 - 15.0;
        labels[pair[1]].1 = labels[pair[1]].1.min(highest);
    }
    labels
}
