//! `heaptide show REC[@SEQ]`

use anyhow::Context;
use heaptide_analyze::diff::Diff;
use heaptide_analyze::load::{self, Location};
use heaptide_analyze::symbols::ElfResolver;
use heaptide_report::table;

use crate::args::{Order, Show};
use crate::dumps::open;
use crate::exit::Exit;
use crate::output;

pub(crate) fn run(args: &Show) -> anyhow::Result<Exit> {
    let mut resolver = ElfResolver::new(args.symbol_path.clone());
    let dump = open(&args.snapshot, &mut resolver)?;
    let text = match args.by {
        _ if args.json => dump.to_json(),
        Order::Size => table::show(&dump, table::Order::Size, args.top, &output::view_of_table()),
        Order::Age => table::show(&dump, table::Order::Age, args.top, &output::view_of_table()),
        Order::Growth => {
            let first = first_of(&args.snapshot).context("growth is seen in a recording only")?;
            let first = open(&first, &mut resolver)?;
            table::diff(&Diff::new(&first, &dump), args.top, &output::view_of_table())
        }
    };
    output::text_out(&text)?;
    Ok(Exit::Clean)
}

/// The first snapshot of the same recording.
fn first_of(location: &Location) -> anyhow::Result<Location> {
    let (run, _) = load::load_one(&location.path)?;
    let seq = run.timeline.points.first().map(|first| first.seq);
    Ok(Location { path: location.path.clone(), seq })
}
