//! Dropping every second snapshot of a closed segment, without losing what its rows said.
//!
//! Rows are absolute, so a row of a dropped snapshot is only needed if the next kept one has none
//! for the same site: it then moves there. The segment is rewritten beside the old one and takes
//! its place by a rename, so a crash leaves one or the other.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use heaptide_format::{Kind, Line, SiteId, SiteRow, Snapshot};

/// What is left of a segment.
#[derive(Debug)]
pub(crate) struct Thinned {
    pub(crate) n_dropped: u64,
    pub(crate) n_kept: u64,
    pub(crate) bytes: u64,
}

/// Rewrites `path` with the 1st, 3rd, 5th … of its snapshots, and always its last.
pub(crate) fn thin(path: &Path) -> io::Result<Thinned> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".thin");
    let from = BufReader::new(File::open(path)?);
    // Left by a process that was killed while it thinned.
    let _ = fs::remove_file(&beside);
    let new = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&beside)?;
    let mut to = Counted { to: BufWriter::new(new), bytes: 0 };
    let thinned = copy_thinned(from, &mut to).and_then(|(n_dropped, n_kept)| {
        to.to.flush()?;
        to.to.get_ref().sync_data()?;
        fs::rename(&beside, path)?;
        Ok(Thinned { n_dropped, n_kept, bytes: to.bytes })
    });
    if thinned.is_err() {
        let _ = fs::remove_file(&beside);
    }
    thinned
}

/// How many snapshots were dropped and how many kept.
fn copy_thinned(mut from: impl BufRead, to: &mut impl Write) -> io::Result<(u64, u64)> {
    let (mut n_seen, mut n_dropped) = (0u64, 0);
    let mut held: Option<Snapshot> = None;
    let mut line = Vec::new();
    while {
        line.clear();
        from.read_until(b'\n', &mut line)?
    } > 0
    {
        if !matches!(Kind::of(&line), Ok(Kind::Snapshot)) {
            to.write_all(&line)?;
            continue;
        }
        let Ok(Line::Snapshot(mut snapshot)) = Line::parse(&line) else { continue };
        n_seen += 1;
        if let Some(dropped) = held.take() {
            n_dropped += 1;
            inherit(&mut snapshot, dropped);
        }
        if n_seen % 2 == 0 {
            held = Some(snapshot);
        } else {
            write(snapshot, to)?;
        }
    }
    held.map_or(Ok(()), |last| write(last, to))?;
    Ok((n_dropped, n_seen - n_dropped))
}

fn write(snapshot: Snapshot, to: &mut impl Write) -> io::Result<()> {
    let mut line = Vec::new();
    Line::Snapshot(snapshot).write_to(&mut line);
    to.write_all(&line)
}

/// Gives `kept` the rows that only `dropped` has, and the low and high water of both.
fn inherit(kept: &mut Snapshot, dropped: Snapshot) {
    let mut rows: BTreeMap<SiteId, SiteRow> =
        dropped.sites.into_iter().map(|row| (row.site, row)).collect();
    for mut row in kept.sites.drain(..) {
        if let Some(before) = rows.get(&row.site) {
            let (objects, bytes) = (before.live_objects, before.live_bytes);
            row.objects_range =
                cover(row.objects_range, row.live_objects, before.objects_range, objects);
            row.bytes_range = cover(row.bytes_range, row.live_bytes, before.bytes_range, bytes);
        }
        rows.insert(row.site, row);
    }
    kept.sites = rows.into_values().collect();
}

/// A range over two spans, given each one's range (if it moved) and its last value.
fn cover(
    range: Option<(u64, u64)>,
    live: u64,
    before: Option<(u64, u64)>,
    live_before: u64,
) -> Option<(u64, u64)> {
    let (now, before) =
        (range.unwrap_or((live, live)), before.unwrap_or((live_before, live_before)));
    let both = (now.0.min(before.0), now.1.max(before.1));
    (both != (live, live)).then_some(both)
}

struct Counted<W> {
    to: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.to.write(bytes)?;
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use heaptide_format::HeapTotals;

    use super::*;

    fn row(site: u32, allocs: u64) -> SiteRow {
        let text = format!(
            r#"{{"site":{site},"allocs":{allocs},"frees":0,"alloc_bytes":0,"freed_bytes":0,
            "live_objects":{allocs},"live_bytes":0}}"#
        );
        serde_json::from_str(&text).expect("a row")
    }

    fn snapshot(seq: u64, rows: &[(u32, u64)]) -> Line {
        Line::Snapshot(Snapshot {
            seq,
            heap: HeapTotals::default(),
            sites: rows.iter().map(|&(site, allocs)| row(site, allocs)).collect(),
            ..Snapshot::default()
        })
    }

    #[test]
    fn what_a_dropped_snapshot_said_moves_to_the_next() {
        let mut text = Vec::new();
        snapshot(0, &[(1, 1), (2, 1)]).write_to(&mut text);
        snapshot(1, &[(2, 5), (3, 7)]).write_to(&mut text);
        snapshot(2, &[(2, 6)]).write_to(&mut text);
        snapshot(3, &[(1, 9)]).write_to(&mut text);
        let mut thinned = Vec::new();
        assert_eq!(copy_thinned(&text[..], &mut thinned).expect("in memory"), (1, 3));
        let kept: Vec<Line> = thinned
            .split_inclusive(|&b| b == b'\n')
            .map(|l| Line::parse(l).expect("line"))
            .collect();
        let Line::Snapshot(mut second) = snapshot(2, &[(2, 6), (3, 7)]) else { unreachable!() };
        // Site 2 was at 5 in the snapshot that went.
        second.sites[0].objects_range = Some((5, 6));
        let second = Line::Snapshot(second);
        assert_eq!(kept, [snapshot(0, &[(1, 1), (2, 1)]), second, snapshot(3, &[(1, 9)])]);
    }
}
