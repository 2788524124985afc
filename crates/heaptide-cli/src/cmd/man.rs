//! `heaptide man`: the manual, from the same definition as `--help`.

use std::fs;
use std::path::Path;

use anyhow::Context;
use clap::CommandFactory;
use clap_mangen::Man as Page;

use crate::args::{Args, Man};
use crate::exit::Exit;
use crate::output;

pub(crate) fn run(args: &Man) -> anyhow::Result<Exit> {
    match &args.out {
        Some(dir) => {
            write_pages(dir).with_context(|| format!("cannot write to {}", dir.display()))?
        }
        None => {
            let mut page = Vec::new();
            Page::new(Args::command()).render(&mut page)?;
            output::bytes_out(&page)?;
        }
    }
    Ok(Exit::Clean)
}

fn write_pages(dir: &Path) -> std::io::Result<()> {
    fs::create_dir_all(dir)?;
    clap_mangen::generate_to(Args::command(), dir)
}
