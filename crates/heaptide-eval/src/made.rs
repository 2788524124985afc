//! `heaptide-eval made DIR SITES MEGABYTES`: a large recording, made up, for `cargo ci large`.
//!
//! Beside it stands what its last snapshot holds, as folded stacks, which other viewers read too.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use heaptide_format::Line;
use heaptide_synthetic::{Extent, write_service};

/// Writes `made.jsonl` with its later segments, and `made.folded`.
///
/// # Errors
///
/// If a file cannot be written or read.
pub fn run(dir: &Path, n_sites: u32, megabytes: u64) -> Result<()> {
    let extent = Extent { n_sites, total_bytes: megabytes * 1_000_000 };
    let (_, bytes) = write_service(dir, extent).with_context(|| dir.display().to_string())?;
    let folded = dir.join("made.folded");
    let n_stacks = fold(&last_segment(dir)?, &folded)?;
    println!("{n_sites} sites, {:.0} MB; {n_stacks} stacks at its end", bytes as f64 / 1e6);
    Ok(())
}

/// It repeats all names, sites and rows, so that it can be read alone.
fn last_segment(dir: &Path) -> Result<PathBuf> {
    let files = fs::read_dir(dir)?.filter_map(|entry| Some(entry.ok()?.path()));
    let segments = files.filter(|path| path.extension().is_some_and(|it| it == "jsonl"));
    // `made.jsonl`, `made.001.jsonl`, `made.002.jsonl`.
    segments.max_by_key(|path| (path.as_os_str().len(), path.clone())).context("nothing was made")
}

/// A line for each site that holds something: its functions from the outermost on, and its bytes.
fn fold(segment: &Path, folded: &Path) -> Result<usize> {
    let (mut names, mut sites, mut live) = (HashMap::new(), HashMap::new(), BTreeMap::new());
    for line in BufReader::new(File::open(segment)?).split(b'\n') {
        match Line::parse(&line?)? {
            Line::Names(table) => names.extend(
                table.offsets.into_iter().map(|it| (it.offset, it.names[0].function.clone())),
            ),
            Line::Site(site) => drop(sites.insert(site.id, site.frames)),
            Line::Snapshot(snapshot) => {
                live.extend(snapshot.sites.iter().map(|row| (row.site, row.live_bytes)));
            }
            _ => {}
        }
    }
    let mut out = BufWriter::new(File::create(folded)?);
    live.retain(|_, bytes| *bytes > 0);
    for (site, bytes) in &live {
        let functions = sites[site].iter().rev().map(|frame| &*names[&frame.offset]);
        writeln!(out, "{} {bytes}", functions.collect::<Vec<_>>().join(";"))?;
    }
    out.flush()?;
    Ok(live.len())
}
