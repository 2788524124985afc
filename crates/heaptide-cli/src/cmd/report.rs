//! `heaptide report REC… -o report.html`

use std::fs;

use anyhow::Context;
use heaptide_report::html;

use crate::args::{JudgingOptions, Report};
use crate::exit::Exit;
use crate::judging::Judge;
use crate::{output, sources};

pub(crate) fn run(args: &Report) -> anyhow::Result<Exit> {
    let judging = JudgingOptions {
        config: args.config.clone(),
        baseline: args.baseline.clone(),
        before: args.before.clone(),
        symbol_path: args.symbol_path.clone(),
        work: args.work.clone(),
        ..JudgingOptions::default()
    };
    let (report, runs) = Judge::new(&judging)?.judge_and_view(&args.recordings)?;
    let page = html::write(&report, &runs, &output::view(), &sources::at_hand(&report));
    let file = args.output.display();
    fs::write(&args.output, &page).with_context(|| format!("cannot write {file}"))?;
    output::tell(&format!("wrote {file} ({} KiB)", page.len().div_ceil(1024)));
    Ok(Exit::Clean)
}
