//! `heaptide check REC…`

use crate::args::Check;
use crate::exit::Exit;
use crate::judging::Judge;
use crate::output;

pub(crate) fn run(args: &Check) -> anyhow::Result<Exit> {
    let report = Judge::new(&args.judging)?.judge(&args.recordings)?;
    output::report(&report, args.judging.format)
}
