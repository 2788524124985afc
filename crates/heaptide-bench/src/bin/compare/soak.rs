//! `cargo ci soak`: does the shim's own memory grow under full load, by more than it must?
//!
//! What it must keep is when blocks were born: for each site that goes on allocating, some counters
//! more each time the number of snapshots has doubled. So each doubling may add what the one before
//! added, and a leak, which grows with time, adds twice that.
//!
//! `SOAK_MINUTES` says for how long (60). `UPDATE=1` writes the picture, `docs/soak.svg`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use heaptide_format::Line;

use crate::contender::{EXACT, scratch};
use ci::program::{self, root, write_if_changed};

/// So that an hour is some 720 snapshots, of some five thousand sites each.
const INTERVAL: &str = "5s";
/// How much more than the doubling before the last one may add: counters come in chunks, and the
/// number of snapshots is none of their steps.
const TOLERANCE: f64 = 1.3;
/// Less than this share of all is no growth.
const LEAST_GROWTH: f64 = 0.01;

const MIB: f64 = (1 << 20) as f64;
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 280.0;
const MARGIN: f64 = 56.0;

/// What a snapshot says of memory.
#[derive(Clone, Copy, Debug)]
struct Point {
    seq: u64,
    minutes: f64,
    own_mib: f64,
    rss_mib: f64,
    n_allocs: u64,
}

pub(crate) fn run() -> Result<()> {
    let asked = std::env::var("SOAK_MINUTES").unwrap_or_else(|_| "60".into());
    let minutes: u64 =
        asked.parse().with_context(|| format!("SOAK_MINUTES={asked} is not a number"))?;
    EXACT.prepare()?;
    let scratch = scratch()?;
    let mut command = Command::new(EXACT.binary.path());
    command.args(["soak", "--ms", &(minutes * 60_000).to_string()]);
    EXACT.switch_on(&mut command, &scratch);
    program::run(command.env("HEAPTIDE_INTERVAL", INTERVAL))?;
    let points = points(&scratch)?;
    if std::env::var_os("UPDATE").is_some() {
        write_if_changed(&root().join("docs/soak.svg"), svg(&points).as_bytes())?;
    }
    judge(&points)
}

/// All snapshots but that of the exit, in which the program is no more at work.
fn points(scratch: &Path) -> Result<Vec<Point>> {
    let mut points = Vec::new();
    let mut start_ns = 0;
    for entry in std::fs::read_dir(scratch)? {
        let bytes = std::fs::read(entry?.path())?;
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            match Line::parse(line)? {
                Line::Header(header) => start_ns = header.start_mono_ns,
                Line::Snapshot(snapshot) => points.push(Point {
                    seq: snapshot.seq,
                    minutes: snapshot.mono_ns.saturating_sub(start_ns) as f64 / 60e9,
                    own_mib: snapshot.own_bytes as f64 / MIB,
                    rss_mib: snapshot.rss_bytes as f64 / MIB,
                    n_allocs: snapshot.heap.allocs,
                }),
                _ => {}
            }
        }
    }
    points.sort_by_key(|point| point.seq);
    points.pop();
    Ok(points)
}

fn judge(points: &[Point]) -> Result<()> {
    let n = points.len();
    let Some(last) = points.last().filter(|_| n >= 32) else {
        anyhow::bail!("there are {n} snapshots only: ask for more SOAK_MINUTES");
    };
    let most = |n: usize| points[..n].iter().map(|point| point.own_mib).fold(0.0, f64::max);
    let [quarter, half, whole] = [most(n / 4), most(n / 2), most(n)];
    println!(
        "{} allocations in {:.0} minutes; the shim's own memory after {}, {} and {n} snapshots: \
         {quarter:.2}, {half:.2} and {whole:.2} MiB; resident in all {:.1} MiB",
        last.n_allocs,
        last.minutes,
        n / 4,
        n / 2,
        last.rss_mib,
    );
    let may_grow = (TOLERANCE * (half - quarter)).max(LEAST_GROWTH * whole);
    ensure!(
        whole - half <= may_grow,
        "the shim's own memory grows with time: look at `own_bytes` in the recording"
    );
    Ok(())
}

/// Both curves over the minutes.
fn svg(points: &[Point]) -> String {
    let most = points.iter().map(|point| point.rss_mib).fold(1.0, f64::max);
    let end = points.last().map_or(1.0, |point| point.minutes);
    let x = |minutes: f64| MARGIN + minutes / end * (WIDTH - 3.0 * MARGIN);
    let y = |mib: f64| HEIGHT - MARGIN + mib / most * (2.0 * MARGIN - HEIGHT);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{MARGIN}\" y=\"20\" font-weight=\"bold\">MiB under full load</text>\n"
    );
    for mib in [0.0, most] {
        let (height, right) = (y(mib), x(end));
        let _ = writeln!(
            svg,
            "<path d=\"M{MARGIN} {height:.1}H{right:.1}\" stroke=\"#999\"/>\n\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#555\">{mib:.1}</text>",
            MARGIN - 4.0,
            height + 4.0,
        );
    }
    for (name, colour) in [("resident", "#868e96"), ("the shim's own", "#0b7285")] {
        let of = |it: &Point| if name == "resident" { it.rss_mib } else { it.own_mib };
        let line: Vec<String> =
            points.iter().map(|it| format!("{:.1},{:.1}", x(it.minutes), y(of(it)))).collect();
        let _ = writeln!(
            svg,
            "<polyline fill=\"none\" stroke-width=\"2\" stroke=\"{colour}\" points=\"{}\"/>\n\
             <text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\">{name}</text>",
            line.join(" "),
            x(end) + 8.0,
            points.last().map_or(0.0, |last| y(of(last))) + 4.0,
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#555\">{end:.0} minutes</text>\n</svg>",
        x(end),
        HEIGHT - MARGIN + 20.0,
    );
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_doubling_adds_is_no_leak() {
        let check = |own_mib: fn(f64) -> f64, passes: bool| {
            let point = |k: u64| {
                let (minutes, own_mib) = (k as f64, own_mib(k as f64));
                Point { seq: k, minutes, own_mib, rss_mib: 60.0, n_allocs: k }
            };
            let points: Vec<Point> = (0..640).map(point).collect();
            assert_eq!(judge(&points).is_ok(), passes);
        };
        check(|_| 16.0, true);
        check(|k| 16.0 + 5.3 * (1.0 + k / 32.0).log2(), true);
        check(|k| 16.0 + 0.002 * k, false);
        check(|k| 16.0 + 5.3 * (1.0 + k / 32.0).log2() + 0.02 * k, false);
        assert!(judge(&[]).is_err());
    }
}
