//! `host-matrix`: every program under every allocator, expected and seen.
//!
//! It builds what it runs. `host-matrix` runs all; `host-matrix --part` the quick ones under the
//! system's allocator, alone and with the shim; `host-matrix NAME…` the named ones, with all that
//! they printed. `--only COLUMN`, as the table spells it, leaves out the other columns;
//! `--long` repeats ten times as often what fails rarely; `--release` builds everything optimised.

#![forbid(unsafe_code)]

mod build;
mod cell;
mod column;
mod manifest;
mod read;
mod table;

use std::error::Error;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::process::ExitCode;

use column::{COLUMNS, Column};
use manifest::Host;
use table::Row;

/// What the command line asks for.
struct Wishes {
    names: Vec<String>,
    only: Option<String>,
    is_part: bool,
    is_long: bool,
    is_release: bool,
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(err) => {
            eprintln!("{err}");
            ExitCode::from(2)
        }
    }
}

/// Whether nothing differs but what is known to.
fn run() -> Result<bool, Box<dyn Error>> {
    let wishes = wishes()?;
    let mut hosts: Vec<Host> = chosen(manifest::read()?, &wishes)?;
    if !is_root()? {
        leave_out_those_of_root(&mut hosts);
    }
    let columns: Vec<&Column> =
        COLUMNS.iter().filter(|column| is_wanted(column, &wishes)).collect();
    let built = build::build(&columns, wishes.is_release)?;
    let mut rows: Vec<Row> = Vec::new();
    for host in hosts {
        let mut row = Row { host, cells: Vec::new() };
        for &column in &columns {
            let seen = cell::run(&row, column, &built, wishes.is_long)?;
            table::print_cell(&row.host, column, &seen, !wishes.names.is_empty());
            row.cells.push(seen);
        }
        rows.push(row);
    }
    cell::remove_folders();
    table::print(&rows, &columns);
    Ok(table::summarise(&rows, &columns))
}

fn wishes() -> Result<Wishes, String> {
    let mut wishes =
        Wishes { names: Vec::new(), only: None, is_part: false, is_long: false, is_release: false };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--part" => wishes.is_part = true,
            "--long" => wishes.is_long = true,
            "--release" => wishes.is_release = true,
            "--only" => wishes.only = words.next(),
            _ if word.starts_with('-') => {
                return Err(
                    "usage: host-matrix [--part] [--long] [--release] [--only COLUMN] [HOST…]"
                        .to_owned(),
                );
            }
            _ => wishes.names.push(word),
        }
    }
    Ok(wishes)
}

fn chosen(all: Vec<Host>, wishes: &Wishes) -> Result<Vec<Host>, String> {
    if let Some(unknown) = wishes.names.iter().find(|name| !all.iter().any(|h| h.name == **name)) {
        let names: Vec<&str> = all.iter().map(|host| &*host.name).collect();
        return Err(format!("no host is called `{unknown}`; there are:\n{}", names.join("\n")));
    }
    let is_chosen = |host: &Host| {
        (wishes.names.is_empty() || wishes.names.contains(&host.name))
            && (!wishes.is_part || host.part)
    };
    Ok(all.into_iter().filter(is_chosen).collect())
}

fn is_root() -> io::Result<bool> {
    Ok(std::fs::metadata("/proc/self")?.uid() == 0)
}

fn leave_out_those_of_root(hosts: &mut Vec<Host>) {
    for host in hosts.iter().filter(|host| host.root) {
        println!("left out: {}, which only root can set up", host.name);
    }
    hosts.retain(|host| !host.root);
}

fn is_wanted(column: &Column, wishes: &Wishes) -> bool {
    wishes.only.as_deref().is_none_or(|only| column.name == only)
        && (!wishes.is_part || column.part)
}
