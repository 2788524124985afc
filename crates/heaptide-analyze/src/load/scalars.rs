//! A snapshot line without its rows.

use std::collections::BTreeMap;

use heaptide_format::{
    Dropped, Epoch, Error as LineError, HeapTotals, Reason, SiteRow, TagTotals, Unwinding,
};
use serde::{Deserialize, Serialize};

use super::cursor::{ROW, ROWS};
use crate::timeline::Point;

/// All members of [`heaptide_format::Snapshot`] but the rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scalars {
    /// Sequence number, from 0.
    pub seq: u64,
    /// Monotonic time.
    pub mono_ns: u64,
    /// The epoch that this snapshot closes.
    pub epoch: Epoch,
    /// Why it was taken.
    pub reason: Reason,
    /// Work counted so far, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub work: BTreeMap<String, u64>,
    /// Live numbers by tag.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<TagTotals>,
    /// The whole heap.
    pub heap: HeapTotals,
    /// Resident set size of the process.
    #[serde(default)]
    pub rss_bytes: u64,
    /// Memory use of the process's cgroup, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroup_bytes: Option<u64>,
    /// What is missing.
    #[serde(default)]
    pub dropped: Dropped,
    /// How stacks were found, if the writer counted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unwinding: Option<Unwinding>,
    /// Memory that the shim itself holds.
    #[serde(default)]
    pub own_bytes: u64,
}

impl Scalars {
    /// Reads all but the rows, and finds where those begin if they are where our writer puts them.
    pub(crate) fn parse(line: &[u8]) -> Result<(Self, Option<usize>), LineError> {
        if let Some(rows) = find_rows(line)
            && let Ok(scalars) = serde_json::from_slice(&without_rows(line, rows))
        {
            return Ok((scalars, Some(rows)));
        }
        let scalars = serde_json::from_slice(line).map_err(|err| malformed(&err))?;
        Ok((scalars, None))
    }

    pub(crate) fn into_point(self, start_mono_ns: u64) -> Point {
        Point {
            seq: self.seq,
            elapsed_ns: self.mono_ns.saturating_sub(start_mono_ns),
            epoch: self.epoch,
            reason: self.reason,
            work: self.work,
            heap: self.heap,
            rss_bytes: self.rss_bytes,
            cgroup_bytes: self.cgroup_bytes,
            dropped: self.dropped,
            own_bytes: self.own_bytes,
        }
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
