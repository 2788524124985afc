//! `heaptide baseline REC… --update FILE`: the only writer of baselines.

use std::fs;

use anyhow::Context;
use heaptide_analyze::baseline::{Baseline as Accepted, Update};
use heaptide_analyze::judge::Outcome;

use crate::args::{Baseline, Format, Judging};
use crate::exit::Exit;
use crate::judging::{self, Judge};
use crate::output;

pub(crate) fn run(args: &Baseline) -> anyhow::Result<Exit> {
    let judging = Judging {
        config: args.config.clone(),
        symbol_path: args.symbol_path.clone(),
        ..Judging::default()
    };
    let report = Judge::new(&judging)?.judge(&args.recordings)?;
    if matches!(report.outcome, Outcome::Error | Outcome::Inconclusive) {
        output::report(&report, Format::Human)?;
        anyhow::bail!("nothing was accepted: {} is as it was", args.update.display());
    }
    let mut accepted = match args.update.exists() {
        true => judging::baseline(&args.update)?,
        false => Accepted::default(),
    };
    let update = accepted.update(Accepted::of(&report));
    fs::write(&args.update, accepted.to_json())
        .with_context(|| format!("cannot write {}", args.update.display()))?;
    let Update { new, changed, unchanged, dropped } = update;
    let (n, file) = (accepted.accepted.len(), args.update.display());
    output::text_out(&format!(
        "accepted in {file}: {n} sites ({new} new, {changed} changed, {unchanged} unchanged; \
         {dropped} dropped)\n"
    ))?;
    Ok(Exit::Clean)
}
