//! What is printed: a line for each difference as it is seen, and the whole table at the end.

use crate::cell::Seen;
use crate::column::{Column, Records};
use crate::manifest::Host;

/// A host and what was seen of it, column by column.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) host: Host,
    pub(crate) cells: Vec<Seen>,
}

/// Says at once what differs; with everything that the program wrote, if it was asked for by name.
pub(crate) fn print_cell(host: &Host, column: &Column, seen: &Seen, is_named: bool) {
    if seen.left_out {
        return;
    }
    let notes: Vec<String> =
        seen.notes.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let place = format!("{} · {}", host.name, column.name);
    let took = seen.took.as_secs_f64();
    if seen.differences.is_empty() {
        println!("ok      {place} ({took:.1} s) {}", notes.join(" "));
    } else {
        println!("DIFFERS {place} ({took:.1} s) {}", notes.join(" "));
    }
    for difference in &seen.differences {
        println!("        {difference}");
    }
    if is_named && !seen.output.is_empty() {
        for line in seen.output.lines() {
            println!("        | {line}");
        }
    }
}

/// The table: a row for each host, its columns, and what is expected.
pub(crate) fn print(rows: &[Row], columns: &[&Column]) {
    let width = rows.iter().map(|row| row.host.name.len()).max().unwrap_or(0);
    let widths: Vec<usize> = columns.iter().map(|column| column.name.len().max(5)).collect();
    print!("\n{:width$}", "");
    for (column, width) in columns.iter().zip(&widths) {
        print!("  {:width$}", column.name);
    }
    println!("  expected");
    for row in rows {
        print!("{:width$}", row.host.name);
        for (seen, width) in row.cells.iter().zip(&widths) {
            print!("  {:width$}", word(seen));
        }
        println!("  {}", row.host.about);
    }
}

fn word(seen: &Seen) -> &'static str {
    match (seen.left_out, seen.differences.is_empty()) {
        (true, _) => "·",
        (false, true) => "ok",
        (false, false) => "DIFF",
    }
}

/// Counts, and says what is known to differ; whether nothing else does.
pub(crate) fn summarise(rows: &[Row], columns: &[&Column]) -> bool {
    let (mut n, mut n_known, mut n_new, mut n_peers) = (0, 0, 0, 0);
    println!();
    for row in rows {
        let mut differs = false;
        for (seen, column) in row.cells.iter().zip(columns).filter(|(seen, _)| !seen.left_out) {
            n += 1;
            let is_shim = matches!(column.records, Records::Shim(_) | Records::ShimOff);
            match (seen.differences.is_empty(), column.records, &row.host.known) {
                (true, ..) => continue,
                (false, Records::Peer, _) => n_peers += 1,
                (false, _, Some(_)) if is_shim => n_known += 1,
                (false, ..) => n_new += 1,
            }
            differs |= is_shim;
        }
        match &row.host.known {
            Some(known) if differs => println!("known: {}: {known}", row.host.name),
            Some(_) => println!(
                "{}: nothing differs here; mended in all columns, `known` goes",
                row.host.name
            ),
            None => {}
        }
    }
    println!(
        "{n} cells; {n_known} differ as known, {n_new} differ otherwise; {n_peers} differ under a peer"
    );
    n_new == 0
}
