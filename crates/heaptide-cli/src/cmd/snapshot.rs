//! `heaptide snapshot PID`

use std::fs;

use anyhow::Context;
use heaptide_analyze::load::Location;
use heaptide_analyze::symbols::ElfResolver;
use heaptide_report::json;

use crate::args::Snapshot;
use crate::dumps::open;
use crate::exit::Exit;
use crate::output;
use crate::watch::live::LiveRecording;

pub(crate) fn run(args: &Snapshot) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let recording = LiveRecording::of(args.pid)?;
    let (path, seq) = runtime.block_on(recording.snapshot(args.timeout))?;
    let location = Location { path, seq: Some(seq) };
    if let Some(file) = &args.output {
        let dump = open(&location, &mut ElfResolver::new(Vec::new()))?;
        let cause = || format!("cannot write {}", file.display());
        fs::write(file, json::dump(&dump)).with_context(cause)?;
    }
    output::text_out(&format!("{location}\n"))?;
    Ok(Exit::Clean)
}
