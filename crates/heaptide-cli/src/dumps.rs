//! Opening one snapshot with its names: what `diff`, `show` and `snapshot` have in common.

use heaptide_analyze::dump::{Dump, Opened};
use heaptide_analyze::identity::WorkspaceCrates;
use heaptide_analyze::load::Location;
use heaptide_analyze::symbols::Resolve;

use crate::output;

/// Opens a snapshot with names; what was wrong with it goes to standard error.
pub(crate) fn open(location: &Location, resolver: &mut dyn Resolve) -> anyhow::Result<Dump> {
    let Opened { dump, warnings, problems } =
        Dump::open(location, resolver, &WorkspaceCrates::new())?;
    output::warn(&warnings);
    output::warn(&problems);
    Ok(dump)
}
