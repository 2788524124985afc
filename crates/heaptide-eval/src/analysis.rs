//! `cargo ci analysis`: how fast `heaptide check` reads, and how much memory that takes.
//!
//! Three made-up recordings of the same size: a long run of a few thousand sites, and shorter ones of
//! ten and forty thousand. In each round the same bytes are also read without looking at them, and parsed line
//! by line with `serde_json`, so that the figures are ratios and hold on any machine.
//! `ANALYSIS_MB=2048` makes the recordings that large; the limit on memory stays.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use heaptide_format::Line;
use heaptide_synthetic::{Extent, write_service};

use ci::program::{self, cargo, program, target_dir, wait_with_peak};

/// Each of the three is read in a second or so at 200 MB/s, and larger than the caches of the
/// processor.
const DEFAULT_MB: u64 = 256;
/// Of five times, two may be disturbed by the neighbours and the median is none of them.
const ROUNDS: usize = 5;
/// What `docs/ARCHITECTURE.md` promises, for a recording of any size.
const PEAK_LIMIT_BYTES: u64 = 300 << 20;
/// One thread reads by another way than several; two and eight deal the slots out differently.
const THREADS: [&str; 3] = ["1", "2", "8"];

/// Writes the recordings, reads them in every way, and prints how long each took.
///
/// # Errors
///
/// If `heaptide check` takes too much memory, or its report depends on the number of threads.
pub fn run() -> Result<()> {
    program::run(&mut cargo(&["build", "--quiet", "--release", "--package", "heaptide-cli"]))?;
    let mb = match std::env::var("ANALYSIS_MB") {
        Ok(text) => text.parse().context("ANALYSIS_MB is a number of megabytes")?,
        Err(_) => DEFAULT_MB,
    };
    let total_bytes = mb * 1_000_000;
    for (name, n_sites) in
        [("long run", 3_000), ("many sites", 10_000), ("very many sites", 40_000)]
    {
        let dir = target_dir("analysis");
        let (first, bytes) = write_service(&dir, Extent { n_sites, total_bytes })
            .with_context(|| dir.display().to_string())?;
        println!("\n{name}: {n_sites} sites, {:.0} MB", bytes as f64 / 1e6);
        let measured = measure(&dir, &first, bytes);
        let judged_alike = same_on_any_number_of_threads(&first);
        fs::remove_dir_all(&dir)?;
        measured?;
        judged_alike?;
    }
    Ok(())
}

/// What reads the recording.
struct Reader {
    name: &'static str,
    read: fn(&Path, &Path) -> Result<u64>,
}

/// Each gives its peak memory, if it is a process of its own.
const READERS: [Reader; 4] = [
    Reader { name: "heaptide check", read: check },
    Reader { name: "count line feeds", read: |dir, _| each_file(dir, count_line_feeds) },
    Reader { name: "serde_json to Value", read: |dir, _| each_file(dir, parse_values) },
    Reader { name: "serde_json to Line", read: |dir, _| each_file(dir, parse_lines) },
];

fn measure(dir: &Path, first: &Path, bytes: u64) -> Result<()> {
    // The larger the recording, the less one reading of it varies.
    let rounds = if bytes > 1_000_000_000 { 1 } else { ROUNDS };
    let mut took = vec![Vec::new(); READERS.len()];
    let mut peak_bytes = 0;
    for _ in 0..rounds {
        for (reader, took) in READERS.iter().zip(&mut took) {
            let start = Instant::now();
            peak_bytes = peak_bytes.max((reader.read)(dir, first)?);
            took.push(start.elapsed().as_secs_f64());
        }
    }
    let medians: Vec<f64> = took.into_iter().map(median).collect();
    for (reader, seconds) in READERS.iter().zip(&medians) {
        let (rate, ratio) = (bytes as f64 / 1e6 / seconds, seconds / medians[0]);
        println!("{:<20} {seconds:>7.2} s {rate:>7.0} MB/s {ratio:>6.2} x", reader.name);
    }
    let mib = |bytes: u64| bytes >> 20;
    println!("peak resident memory of `heaptide check`: {} MiB", mib(peak_bytes));
    ensure!(
        peak_bytes <= PEAK_LIMIT_BYTES,
        "`heaptide check` took more than {} MiB of memory",
        mib(PEAK_LIMIT_BYTES)
    );
    Ok(())
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn heaptide_check(first: &Path) -> Command {
    let binary = target_dir("release").join("heaptide");
    let mut command = program(&binary.to_string_lossy(), &["check"]);
    command.arg(first);
    command
}

/// Judges; the high water of its resident memory.
fn check(_: &Path, first: &Path) -> Result<u64> {
    let mut child = heaptide_check(first).stdout(Stdio::null()).spawn()?;
    let (ended, peak_bytes) = wait_with_peak(&mut child)?;
    ensure!(ended.code().is_some_and(|code| code != 2), "`heaptide check`: {ended}");
    Ok(peak_bytes)
}

/// Keeps the optimiser from leaving out what is measured.
fn each_file(dir: &Path, read: fn(&Path) -> Result<usize>) -> Result<u64> {
    for entry in fs::read_dir(dir)? {
        std::hint::black_box(read(&entry?.path())?);
    }
    Ok(0)
}

fn count_line_feeds(file: &Path) -> Result<usize> {
    let mut file = File::open(file)?;
    let (mut buffer, mut count) = (vec![0; 1 << 18], 0);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(count),
            read => count += buffer[..read].iter().filter(|byte| **byte == b'\n').count(),
        }
    }
}

fn parse_values(file: &Path) -> Result<usize> {
    each_line(file, |line| {
        let value: serde_json::Value = serde_json::from_slice(line)?;
        Ok(std::hint::black_box(value).as_object().map_or(0, serde_json::Map::len))
    })
}

fn parse_lines(file: &Path) -> Result<usize> {
    each_line(file, |line| {
        std::hint::black_box(Line::parse(line)?);
        Ok(1)
    })
}

fn each_line(file: &Path, parse: impl Fn(&[u8]) -> Result<usize>) -> Result<usize> {
    let mut reader = BufReader::with_capacity(1 << 18, File::open(file)?);
    let (mut line, mut sum) = (Vec::new(), 0);
    while reader.read_until(b'\n', &mut line)? > 0 {
        sum += parse(&line)?;
        line.clear();
    }
    Ok(sum)
}

fn same_on_any_number_of_threads(first: &Path) -> Result<()> {
    let mut reports = Vec::new();
    for threads in THREADS {
        let mut command = heaptide_check(first);
        let output = command.args(["--format", "json", "--threads", threads]).output()?;
        ensure!(output.status.code() != Some(2), "{}", String::from_utf8_lossy(&output.stderr));
        reports.push(output.stdout);
    }
    ensure!(
        reports.windows(2).all(|pair| pair[0] == pair[1]),
        "the report depends on the number of threads"
    );
    println!("the same report of {} bytes on {} threads", reports[0].len(), THREADS.join(", "));
    Ok(())
}
