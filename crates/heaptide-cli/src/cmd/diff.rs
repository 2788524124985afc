//! `heaptide diff A[@SEQ] B[@SEQ]`

use heaptide_analyze::diff::Diff as Difference;
use heaptide_analyze::symbols::ElfResolver;
use heaptide_report::table;

use crate::args::Diff;
use crate::dumps::open;
use crate::exit::Exit;
use crate::output;

pub(crate) fn run(args: &Diff) -> anyhow::Result<Exit> {
    let mut resolver = ElfResolver::new(args.symbol_path.clone());
    let before = open(&args.before, &mut resolver)?;
    let after = open(&args.after, &mut resolver)?;
    let difference = Difference::new(&before, &after);
    let view = output::view_of_table();
    let sites = table::diff(&difference, args.top, &view);
    let parts = table::parts::diff(&before, &after, &view).unwrap_or_default();
    output::text_out(&(sites + &parts))?;
    Ok(Exit::Clean)
}
