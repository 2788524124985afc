//! What is said of snapshots that fail: a line at once, then one a minute, with a count.
//!
//! A full disk fails every snapshot, and a program's standard error is not ours to fill.

#![forbid(unsafe_code)]

use super::error::Error;
use crate::sys;

const EVERY_NS: u64 = 60_000_000_000;

/// What was said, and what was not.
#[derive(Debug, Default)]
pub(crate) struct Complaints {
    next_ns: u64,
    n_unsaid: u64,
}

impl Complaints {
    /// Says it on standard error, unless something was said within the last minute.
    pub(crate) fn say(&mut self, err: &Error, now_ns: u64) {
        if let Some(line) = self.line(err, now_ns) {
            sys::complain(&[b"heaptide: ", line.as_bytes()]);
        }
    }

    fn line(&mut self, err: &Error, now_ns: u64) -> Option<String> {
        if now_ns < self.next_ns {
            self.n_unsaid += 1;
            return None;
        }
        self.next_ns = now_ns.saturating_add(EVERY_NS);
        Some(match std::mem::take(&mut self.n_unsaid) {
            0 => err.to_string(),
            n => format!("{err} ({n} more since the last line)"),
        })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_said_once_a_minute() {
        let full = Error::Write(std::io::ErrorKind::StorageFull.into());
        let mut complaints = Complaints::default();
        let mut lines = (0..134).filter_map(|n| complaints.line(&full, 1 + n * 7_000_000));
        assert_eq!((lines.next(), lines.next()), (Some(full.to_string()), None));
        let later = complaints.line(&full, 1 + EVERY_NS);
        assert_eq!(later, Some(format!("{full} (133 more since the last line)")));
    }
}
