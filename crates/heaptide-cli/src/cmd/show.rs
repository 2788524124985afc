//! `heaptide show REC[@SEQ]`

use anyhow::Context;
use heaptide_analyze::diff::Diff;
use heaptide_analyze::dump::Dump;
use heaptide_analyze::load::{self, Location};
use heaptide_analyze::symbols::ElfResolver;
use heaptide_report::{json, table};

use crate::args::{Order, Show};
use crate::dumps::open;
use crate::exit::Exit;
use crate::output;

pub(crate) fn run(args: &Show) -> anyhow::Result<Exit> {
    let mut resolver = ElfResolver::new(args.symbol_path.clone());
    let dump = open(&args.snapshot, &mut resolver)?;
    let text = match args.by {
        _ if args.json => json::dump(&dump),
        Order::Size => table::show(&dump, table::Order::Size, args.top, &output::view_of_table()),
        Order::Age => table::show(&dump, table::Order::Age, args.top, &output::view_of_table()),
        Order::Growth => {
            let first = first_of(&args.snapshot).context("growth is seen in a recording only")?;
            let first = open(&first, &mut resolver)?;
            table::diff(&Diff::new(&first, &dump), args.top, &output::view_of_table())
        }
        Order::Part => parts(args, &dump)?,
    };
    output::text_out(&text)?;
    Ok(Exit::Clean)
}

/// What the process holds: over the run, or at the one snapshot that was asked for.
fn parts(args: &Show, dump: &Dump) -> anyhow::Result<String> {
    let view = output::view_of_table();
    if args.snapshot.seq.is_some() || Dump::is_in(&args.snapshot.path)? {
        return Ok(table::parts::at(dump, &view));
    }
    let (run, _) = load::load_one(&args.snapshot.path)?;
    Ok(table::parts::over_time(&run.timeline, args.top, &view))
}

/// The first snapshot of the same recording.
fn first_of(location: &Location) -> anyhow::Result<Location> {
    let (run, _) = load::load_one(&location.path)?;
    let seq = run.timeline.points.first().map(|first| first.seq);
    Ok(Location { path: location.path.clone(), seq })
}
