//! `heaptide check REC…`

use crate::args::Check;
use crate::ci_job;
use crate::exit::Exit;
use crate::judging::Judge;

pub(crate) fn run(args: &Check) -> anyhow::Result<Exit> {
    let report = Judge::new(&args.judging)?.judge(&args.recordings)?;
    ci_job::report(&report, &args.judging)
}
