//! Tables of what the whole process holds: its parts over a run, at one snapshot, or at two.

use comfy_table::Cell;
use heaptide_analyze::dump::Dump;
use heaptide_analyze::load::Timeline;
use heaptide_analyze::process::{PartName, of_account};
use heaptide_format::Account;

use super::layout::{empty, right};
use crate::number::{bytes, count, duration, signed_bytes, signed_count};
use crate::view::View;

/// What is said instead of a table.
const NOTHING: &str = "this recording does not say what the whole process holds: it was written by \
                       an older version, or the system does not tell\n";

/// What a snapshot says of the whole process.
struct Row<'a> {
    seq: u64,
    elapsed_ns: u64,
    rss_bytes: u64,
    account: &'a Account,
}

/// The parts at up to `most` snapshots of a run, evenly over it.
pub fn over_time(timeline: &Timeline, most: usize, view: &View) -> String {
    let known = timeline.points.iter().filter_map(|point| {
        let account = point.account.as_ref()?;
        let (seq, elapsed_ns, rss_bytes) = (point.seq, point.elapsed_ns, point.rss_bytes);
        Some(Row { seq, elapsed_ns, rss_bytes, account })
    });
    let known: Vec<Row<'_>> = known.collect();
    // Those with parts say more; the others fill a run in which they are few.
    let with_parts = known.iter().filter(|row| row.account.parts.is_some()).count();
    let is_told = |row: &&Row<'_>| with_parts < 2 || row.account.parts.is_some();
    let told: Vec<&Row<'_>> = known.iter().filter(is_told).collect();
    let n_rows = told.len().min(most.max(2));
    let at = |k: usize| told[k * (told.len() - 1) / (n_rows - 1).max(1)];
    let rows: Vec<&Row<'_>> = (0..n_rows).map(at).collect();
    let mut text = drawn(&rows, view);
    let rest = known.len() - rows.len();
    if rest > 0 {
        text += &format!("{} more snapshots not shown (--top)\n", count(rest as u64));
    }
    text
}

/// The parts at one snapshot.
pub fn at(dump: &Dump, view: &View) -> String {
    let account = dump.scalars.account.as_ref();
    let row = account.map(|account| Row {
        seq: dump.scalars.seq,
        elapsed_ns: dump.scalars.mono_ns.saturating_sub(dump.header.start_mono_ns),
        rss_bytes: dump.scalars.rss_bytes,
        account,
    });
    drawn(&row.iter().collect::<Vec<_>>(), view)
}

/// How the parts of two snapshots differ; nothing if one of them does not say.
pub fn diff(before: &Dump, after: &Dump, view: &View) -> Option<String> {
    let (then, now) = (before.scalars.account.as_ref()?, after.scalars.account.as_ref()?);
    let mut table = empty(view);
    table.set_header(
        ["change", "before", "after"].map(right).into_iter().chain([Cell::new("part")]),
    );
    let mut add = |name: &str, change: String, before: String, after: String| {
        table.add_row([right(&change), right(&before), right(&after), Cell::new(name)]);
    };
    let delta = |before: u64, after: u64| i128::from(after) - i128::from(before);
    let rss = (before.scalars.rss_bytes, after.scalars.rss_bytes);
    add("resident memory", signed_bytes(delta(rss.0, rss.1)), bytes(rss.0), bytes(rss.1));
    for name in PartName::ALL {
        let (Some(before), Some(after)) = (of_account(name, then), of_account(name, now)) else {
            continue;
        };
        if before != after {
            add(name.word(), signed_bytes(delta(before, after)), bytes(before), bytes(after));
        }
    }
    let threads = ("threads", Some(then.threads), Some(now.threads));
    let descriptors = ("descriptors", then.descriptors, now.descriptors);
    for (name, before, after) in [threads, descriptors] {
        let (Some(before), Some(after)) = (before, after) else { continue };
        if before != after {
            add(name, signed_count(delta(before, after)), count(before), count(after));
        }
    }
    Some(format!("\n{}\n", table.trim_fmt()))
}

/// A row for each snapshot, a column for each part that is ever there.
fn drawn(rows: &[&Row<'_>], view: &View) -> String {
    if rows.is_empty() {
        return NOTHING.to_owned();
    }
    let is_there =
        |name: &PartName| rows.iter().any(|row| of_account(*name, row.account) > Some(0));
    let names: Vec<PartName> = PartName::ALL.into_iter().filter(is_there).collect();
    let not_resident = |row: &Row<'_>| row.account.parts.as_ref().map(|it| it.not_resident_bytes);
    let is_kept_away = rows.iter().any(|row| not_resident(row) > Some(0));
    let mut table = empty(view);
    let mut header = vec!["snapshot", "after", "resident"];
    header.extend(names.iter().map(|name| name.word()));
    header.extend(is_kept_away.then_some("not resident"));
    header.extend(["threads", "descriptors"]);
    table.set_header(header.into_iter().map(right));
    for row in rows {
        let mut cells = vec![count(row.seq), duration(row.elapsed_ns), bytes(row.rss_bytes)];
        let or_blank = |value: Option<u64>, in_words: fn(u64) -> String| {
            value.map(in_words).unwrap_or_default()
        };
        cells.extend(names.iter().map(|name| or_blank(of_account(*name, row.account), bytes)));
        if is_kept_away {
            cells.push(or_blank(not_resident(row), |away| signed_bytes(-i128::from(away))));
        }
        cells.push(count(row.account.threads));
        cells.push(or_blank(row.account.descriptors, count));
        table.add_row(cells.iter().map(right));
    }
    format!("{}\n", table.trim_fmt())
}
