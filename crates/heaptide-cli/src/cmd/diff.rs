//! `heaptide diff A[@SEQ] B[@SEQ]`

use heaptide_analyze::diff::Diff as Difference;
use heaptide_analyze::dump::{Dump, Opened};
use heaptide_analyze::identity::WorkspaceCrates;
use heaptide_analyze::load::Location;
use heaptide_analyze::symbols::{ElfResolver, Resolve};
use heaptide_report::table;

use crate::args::Diff;
use crate::exit::Exit;
use crate::output;

pub(crate) fn run(args: &Diff) -> anyhow::Result<Exit> {
    let mut resolver = ElfResolver::new(args.symbol_path.clone());
    let before = open(&args.before, &mut resolver)?;
    let after = open(&args.after, &mut resolver)?;
    let difference = Difference::new(&before, &after);
    output::text_out(&table::diff(&difference, args.top, &output::view_of_table()))?;
    Ok(Exit::Clean)
}

/// Opens a snapshot with names; what was wrong with it goes to standard error.
pub(super) fn open(location: &Location, resolver: &mut dyn Resolve) -> anyhow::Result<Dump> {
    let Opened { dump, warnings, problems } =
        Dump::open(location, resolver, &WorkspaceCrates::new())?;
    output::warn(&warnings);
    output::warn(&problems);
    Ok(dump)
}
