//! `heaptide check REC…`

use heaptide_analyze::Outcome;

use crate::args::Check;
use crate::ci_job;
use crate::exit::Exit;
use crate::judging::Judge;
use crate::output::tell;

pub(crate) fn run(args: &Check) -> anyhow::Result<Exit> {
    let report = Judge::new(&args.judging)?.judge(&args.recordings)?;
    let exit = ci_job::report(&report, &args.judging)?;
    // Of a program that was killed early this may be all there will ever be.
    if report.outcome == Outcome::Inconclusive && report.findings().next().is_none() {
        let paths: Vec<_> = args.recordings.iter().map(|path| path.display().to_string()).collect();
        tell(&format!("`heaptide show {} --by growth` lists what grew so far", paths.join(" ")));
    }
    Ok(exit)
}
