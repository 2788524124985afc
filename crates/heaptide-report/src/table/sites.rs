//! Tables of call sites: one snapshot, or the difference of two.

use std::cmp::Reverse;

use comfy_table::{Cell, ColumnConstraint, Table};
use heaptide_analyze::diff::{Change, Diff, SiteDiff};
use heaptide_analyze::dump::{Dump, DumpSite};
use heaptide_analyze::identity::{Origin, SharedFrame};
use heaptide_format::Mode;

use super::layout::{empty, right};
use crate::escape::{Escaped, Terminal};
use crate::number::{bytes, count, plural, signed_bytes, signed_count};
use crate::phrase;
use crate::view::View;

/// What the sites of a snapshot are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Most live bytes first.
    Size,
    /// Oldest live blocks first, then by size.
    Age,
}

/// A snapshot: its `most` first sites.
pub fn show(dump: &Dump, order: Order, most: usize, view: &View) -> String {
    let mut sites: Vec<&DumpSite> =
        dump.sites.iter().filter(|site| site.row.live_objects > 0).collect();
    sites.sort_by_key(|site| {
        let age = if order == Order::Age { age_epochs(dump, site) } else { None };
        (Reverse(age), Reverse(site.row.live_bytes), site.identity, site.row.site)
    });
    let mut table = columns(&["live", "objects", "oldest", "allocated", "site"], view);
    for site in sites.iter().take(most) {
        let age = age_epochs(dump, site);
        let age = age.map(|age| plural(age.into(), "epoch", "epochs")).unwrap_or_default();
        table.add_row([
            right(with_error(bytes, site.row.live_bytes, site.row.bytes_error)),
            right(with_error(count, site.row.live_objects, site.row.objects_error)),
            right(age),
            right(count(site.row.allocs)),
            Cell::new(&*place(&site.path, site.tag.as_deref(), &site.frames, view)),
        ]);
    }
    let heap = &dump.scalars.heap;
    let sampled = match dump.header.mode {
        Mode::Sampled { period_bytes } => format!("; {}", phrase::sampled(period_bytes)),
        Mode::Exact => String::new(),
    };
    let summary = format!(
        "snapshot {} of {} (pid {}): {} live in {}{sampled}",
        dump.scalars.seq,
        dump.header.exe,
        dump.header.pid,
        bytes(heap.live_bytes),
        plural(heap.live_objects, "object", "objects"),
    );
    page(&summary, &mut table, &rest(sites.len(), most))
}

/// A difference: its `most` largest changes.
pub fn diff(diff: &Diff, most: usize, view: &View) -> String {
    let changed = |site: &&SiteDiff| site.change != Change::Same;
    let sites: Vec<&SiteDiff> = diff.sites.iter().filter(changed).collect();
    let mut table = columns(&["bytes", "objects", "allocated", "", "site"], view);
    for site in sites.iter().take(most) {
        table.add_row([
            right(signed_bytes(site.delta_bytes())),
            right(signed_count(site.delta_objects())),
            right(signed_count(site.delta_allocs())),
            Cell::new(word(site.change)),
            Cell::new(&*place(&site.path, site.tag.as_deref(), &site.frames, view)),
        ]);
    }
    let delta = |before: u64, after: u64| i128::from(after) - i128::from(before);
    let (before, after) = (&diff.heap_before, &diff.heap_after);
    let summary = format!(
        "live: {} -> {} ({}), {} objects",
        bytes(before.live_bytes),
        bytes(after.live_bytes),
        signed_bytes(delta(before.live_bytes, after.live_bytes)),
        signed_count(delta(before.live_objects, after.live_objects)),
    );
    page(&summary, &mut table, &rest(sites.len(), most))
}

/// A line that sums up, the table, and a line of what it leaves out.
fn page(summary: &str, table: &mut Table, rest: &str) -> String {
    let parts = [Escaped::text(summary), drawn(table), Escaped::lines(rest)];
    Escaped::<Terminal>::fill("{}\n\n{}\n{}", parts).into()
}

fn columns(names: &[&str], view: &View) -> Table {
    let mut table = empty(view);
    table.set_header(names.iter().map(|name| match *name {
        "site" => Cell::new(name),
        name => right(name),
    }));
    table
}

/// The numbers keep their width; the site takes what is left.
fn drawn(table: &mut Table) -> Escaped<Terminal> {
    for column in table.column_iter_mut().take(4) {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
    Escaped::lines(&table.trim_fmt())
}

/// `1,480`; of a sample `1,480 ± 210`.
fn with_error(in_words: fn(u64) -> String, number: u64, error: Option<f64>) -> String {
    match error.unwrap_or(0.0).round() as u64 {
        0 => in_words(number),
        error => format!("{} ± {}", in_words(number), in_words(error)),
    }
}

fn word(change: Change) -> &'static str {
    match change {
        Change::New => "new",
        Change::Gone => "gone",
        Change::Changed | Change::Same => "",
    }
}

/// How many epochs ago the oldest live block was born.
fn age_epochs(dump: &Dump, site: &DumpSite) -> Option<u32> {
    let oldest = site.row.cohorts.iter().map(|cohort| cohort.0).min()?;
    Some(dump.scalars.epoch.0.saturating_sub(oldest.0))
}

/// The responsible function over its place, and the library function that it went through.
fn place(path: &str, tag: Option<&str>, frames: &[SharedFrame], view: &View) -> Escaped<Terminal> {
    let responsible = frames.iter().find(|frame| is_named(frame, path));
    let at = responsible.and_then(|frame| view.place_of(frame.file.as_deref(), frame.line));
    let innermost = frames.iter().find(|frame| frame.origin != Origin::Std);
    let via = innermost.filter(|frame| !is_named(frame, path));
    let via = via.map(|frame| format!("via {}", frame.plain()));
    let tag = tag.map(|tag| format!("[{tag}] ")).unwrap_or_default();
    let name = Some(format!("{tag}{path}"));
    Escaped::join([name, at, via].into_iter().flatten().map(|line| Escaped::text(&line)), "\n  ")
}

fn is_named(frame: &SharedFrame, path: &str) -> bool {
    frame.plain() == path
}

fn rest(n_sites: usize, most: usize) -> String {
    match n_sites.saturating_sub(most) as u64 {
        0 => String::new(),
        n => format!("{} not shown (--top)\n", plural(n, "more site", "more sites")),
    }
}
