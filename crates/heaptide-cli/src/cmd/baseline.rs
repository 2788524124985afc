//! `heaptide baseline REC… --update FILE`: the only writer of baselines.

use std::path::Path;
use std::{fs, io};

use anyhow::Context;
use heaptide_analyze::Outcome;
use heaptide_analyze::baseline::{Baseline as Accepted, Update};

use crate::args::{Baseline, Format, JudgingOptions};
use crate::exit::Exit;
use crate::judging::{self, Judge};
use crate::output;

pub(crate) fn run(args: &Baseline) -> anyhow::Result<Exit> {
    let judging = JudgingOptions {
        config: args.config.clone(),
        symbol_path: args.symbol_path.clone(),
        // A file of another program matches nothing, and would be emptied.
        baseline: args.update.exists().then(|| args.update.clone()),
        ..JudgingOptions::default()
    };
    let report = Judge::new(&judging)?.judge(&args.recordings)?;
    if matches!(report.outcome, Outcome::Error | Outcome::Inconclusive) {
        output::report(&report, Format::Human)?;
        let file = args.update.display();
        anyhow::bail!(
            "nothing was accepted: {file} is as it was (to accept anew whatever it holds, remove it)"
        );
    }
    let mut accepted = match args.update.exists() {
        true => judging::baseline(&args.update)?,
        false => Accepted::default(),
    };
    let update = accepted.update(Accepted::of(&report.runs));
    replace(&args.update, &accepted.to_json())
        .with_context(|| format!("cannot write {}", args.update.display()))?;
    let Update { new, changed, unchanged, dropped } = update;
    let file = args.update.display();
    let sites = match accepted.accepted.len() {
        1 => "1 site".to_owned(),
        n => format!("{n} sites"),
    };
    let parts = match accepted.parts.len() {
        0 => String::new(),
        1 => " and 1 part of the process".to_owned(),
        n => format!(" and {n} parts of the process"),
    };
    let matched = report.baseline.map_or_else(String::new, |before| {
        format!("; {} of {} entries matched", before.matched, before.entries)
    });
    output::text_out(&format!(
        "accepted in {file}: {sites}{parts} ({new} new, {changed} changed, {unchanged} unchanged; \
         {dropped} dropped{matched})\n"
    ))?;
    Ok(Exit::Clean)
}

/// Writes a file whole or not at all: the one before stays if the disk is full.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    fs::write(&beside, text).and_then(|()| fs::rename(&beside, path)).inspect_err(|_| {
        // What is left of it is of no use; that it may stay is no second error.
        let _ = fs::remove_file(&beside);
    })
}
