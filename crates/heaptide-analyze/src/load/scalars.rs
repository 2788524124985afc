//! A snapshot line without its rows.

use heaptide_format::{Error as LineError, NoRows, SiteRow, Snapshot};

use super::cursor::{ROW, ROWS};
use crate::timeline::Point;

/// All members of a snapshot but the rows.
pub type Scalars = Snapshot<NoRows>;

/// Reads all but the rows, and finds where those begin if they are where our writer puts them.
pub(crate) fn parse(line: &[u8]) -> Result<(Scalars, Option<usize>), LineError> {
    if let Some(rows) = find_rows(line)
        && let Ok(scalars) = serde_json::from_slice(&without_rows(line, rows))
    {
        return Ok((scalars, Some(rows)));
    }
    let scalars = serde_json::from_slice(line).map_err(|err| malformed(&err))?;
    Ok((scalars, None))
}

pub(crate) fn into_point(scalars: Scalars, start_mono_ns: u64) -> Point {
    Point {
        seq: scalars.seq,
        elapsed_ns: scalars.mono_ns.saturating_sub(start_mono_ns),
        epoch: scalars.epoch,
        reason: scalars.reason,
        work: scalars.work,
        heap: scalars.heap,
        freed_from_before: scalars.freed_from_before,
        rss_bytes: scalars.rss_bytes,
        cgroup_bytes: scalars.cgroup_bytes,
        dropped: scalars.dropped,
        own_bytes: scalars.own_bytes,
        frames_kept: scalars.frames_kept,
        budget: scalars.budget,
        children: scalars.children,
        account: scalars.account,
    }
}

/// Where the first row begins, found without reading the rows: only if they are the last member and
/// the line ends with a whole row.
fn find_rows(line: &[u8]) -> Option<usize> {
    let start = line.windows(ROWS.len()).position(|here| here == ROWS)? + ROWS.len();
    let rows = line[start..].trim_ascii_end().strip_suffix(b"]}")?;
    if !rows.is_empty() {
        let last = rows.windows(ROW.len()).rposition(|here| here == ROW)?;
        serde_json::from_slice::<SiteRow>(&rows[last..]).ok()?;
    }
    Some(start)
}

/// An object of the members before the rows; none, unless the rows are a member of the line itself.
fn without_rows(line: &[u8], rows: usize) -> Vec<u8> {
    [&line[..rows - ROWS.len()], b"}"].concat()
}

/// The parser's words without its line number, which counts within our one line.
pub(crate) fn malformed(err: &serde_json::Error) -> LineError {
    let text = err.to_string();
    let cause = text.rsplit_once(" at line ").map_or(text.as_str(), |(cause, _)| cause).to_owned();
    LineError::Malformed { column: err.column(), cause }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_without_being_read() {
        let line = |rows: &str| {
            let before =
                r#"{"kind":"snapshot","seq":3,"mono_ns":1,"epoch":2,"reason":"call","heap":{}"#;
            format!("{before},\"dropped\":{{\"sites\":0}}{rows}")
        };
        let row = r#"{"site":1,"allocs":1,"frees":0,"alloc_bytes":1,"freed_bytes":0,"live_objects":1,"live_bytes":1}"#;
        for (rows, found) in [
            (",\"sites\":[]}".to_owned(), true),
            (format!(",\"sites\":[{row}]}}"), true),
            // What stands between two rows is not looked at here.
            (format!(",\"sites\":[!{row}]}}"), true),
            (format!(",\"sites\":[{row}],\"rss_bytes\":7}}"), false),
            ("}".to_owned(), false),
        ] {
            let line = line(&rows);
            let (scalars, at) = parse(line.as_bytes()).expect("a snapshot");
            assert_eq!((scalars.seq, at.is_some()), (3, found), "{line}");
            assert_eq!(scalars.rss_bytes == 7, line.contains("rss_bytes"), "{line}");
        }
        for cut in [",\"sites\":[", ",\"sites\":[{\"site\":1]}"] {
            assert!(parse(line(cut).as_bytes()).is_err(), "{cut}");
        }
    }
}
