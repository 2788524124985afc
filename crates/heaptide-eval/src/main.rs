//! `heaptide-eval NAME` runs one evaluation, as `cargo ci NAME` does.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use anyhow::{Result, bail};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            println!("{err:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let names: Vec<String> = std::env::args().skip(1).collect();
    match names.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["account"] => heaptide_eval::account::run(),
        ["analysis"] => heaptide_eval::analysis::run(),
        ["made", dir, sites, megabytes] => {
            heaptide_eval::made::run(dir.as_ref(), sites.parse()?, megabytes.parse()?)
        }
        ["leaks"] => heaptide_eval::leaks::run(),
        ["parts"] => heaptide_eval::parts::run(),
        ["programs"] => heaptide_eval::programs::run(),
        ["sweep"] => heaptide_eval::sweep::run(),
        ["verdict"] => heaptide_eval::verdict::run(),
        _ => bail!(
            "usage: heaptide-eval account|analysis|leaks|parts|programs|sweep|verdict\n       \
             heaptide-eval made DIR SITES MEGABYTES"
        ),
    }
}
