//! Snapshots when memory first passes certain marks, so that the last one before the kernel ends the
//! process for want of memory shows what it held.
//!
//! Between snapshots the recorder looks a few times a second at one line of `/proc`, which takes
//! microseconds, and no longer once all marks are passed.

#![forbid(unsafe_code)]

use std::fs;
use std::time::Duration;

use super::process::{self, Cgroup};
use crate::sys;

/// A mark at which a snapshot is taken when memory first passes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threshold {
    /// A share of the limit: of the resident set in the cgroup's limit, or of the address space in that
    /// of the process (`RLIMIT_AS`), whichever is passed first. Without either, of the resident set in the
    /// memory of the machine.
    Percent(u8),
    /// A size of the resident set, in bytes.
    Bytes(u64),
}

/// Where nobody asks for others, and there is a limit of the cgroup or of the process.
const USUAL: [Threshold; 3] =
    [Threshold::Percent(50), Threshold::Percent(80), Threshold::Percent(95)];

/// How often it is looked: a process that leaks a gigabyte a second has then grown by a fifth of one.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The marks of a recording that are not passed yet, in bytes, each list largest first.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Thresholds {
    of_resident: Vec<u64>,
    of_address_space: Vec<u64>,
}

impl Thresholds {
    /// Those of a recording; `None` asks for the usual ones.
    pub(super) fn new(asked: Option<&[Threshold]>) -> Self {
        let group_bytes = Cgroup::of_this_process().and_then(|group| group.limit_bytes());
        let of_machine = || process::machine_bytes().filter(|_| asked.is_some());
        Self::within(asked.unwrap_or(&USUAL), group_bytes, sys::address_space_limit(), of_machine)
    }

    fn within(
        asked: &[Threshold],
        group_bytes: Option<u64>,
        address_space_bytes: Option<u64>,
        machine_bytes: impl Fn() -> Option<u64>,
    ) -> Self {
        let has_limit = group_bytes.is_some() || address_space_bytes.is_some();
        let resident_bytes = group_bytes.or_else(|| machine_bytes().filter(|_| !has_limit));
        let marks = |limit: Option<u64>| {
            let bytes = |threshold: &Threshold| match *threshold {
                Threshold::Percent(percent) => limit.map(|limit| limit / 100 * u64::from(percent)),
                Threshold::Bytes(_) => None,
            };
            asked.iter().filter_map(bytes).collect::<Vec<u64>>()
        };
        let sizes = asked.iter().filter_map(|threshold| match *threshold {
            Threshold::Bytes(bytes) => Some(bytes),
            Threshold::Percent(_) => None,
        });
        let mut of_resident = marks(resident_bytes);
        of_resident.extend(sizes);
        let mut of_address_space = marks(address_space_bytes);
        of_resident.sort_unstable_by(|a, b| b.cmp(a));
        of_address_space.sort_unstable_by(|a, b| b.cmp(a));
        Self { of_resident, of_address_space }
    }

    /// When to look again; `None` if all are passed.
    pub(super) fn look_after(&self) -> Option<Duration> {
        let is_left = !self.of_resident.is_empty() || !self.of_address_space.is_empty();
        is_left.then_some(LOOK_EVERY)
    }

    /// Whether one was passed since the last look.
    pub(super) fn is_passed(&mut self) -> bool {
        if self.look_after().is_none() {
            return false;
        }
        let Some((address_space, resident)) = sizes_now() else { return false };
        let of_resident = pass(&mut self.of_resident, resident);
        pass(&mut self.of_address_space, address_space) || of_resident
    }
}

/// Drops the marks that are passed; whether there were any.
fn pass(marks: &mut Vec<u64>, bytes: u64) -> bool {
    let before = marks.len();
    while marks.pop_if(|mark| *mark <= bytes).is_some() {}
    marks.len() < before
}

/// The address space and the resident set, in bytes (`/proc/self/statm`, in `proc(5)`).
fn sizes_now() -> Option<(u64, u64)> {
    let statm = fs::read_to_string("/proc/thread-self/statm").ok()?;
    let mut pages = statm.split(' ').map(|pages| pages.parse::<u64>().ok());
    let page_bytes = sys::page_bytes() as u64;
    Some((pages.next()?? * page_bytes, pages.next()?? * page_bytes))
}

/// Reads `50%,80%,512MiB`; `None` if it makes no sense. An empty list asks for no marks.
pub(super) fn parse(text: &str) -> Option<Vec<Threshold>> {
    if matches!(text, "" | "off") {
        return Some(Vec::new());
    }
    text.split(',').map(|one| parse_one(one.trim())).collect()
}

fn parse_one(text: &str) -> Option<Threshold> {
    if let Some(percent) = text.strip_suffix('%') {
        let percent: u8 = percent.trim().parse().ok()?;
        return (1..=100).contains(&percent).then_some(Threshold::Percent(percent));
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = match unit.trim() {
        "" | "B" => 1,
        "KB" | "kB" => 1_000,
        "KiB" => 1 << 10,
        "MB" => 1_000_000,
        "MiB" => 1 << 20,
        "GB" => 1_000_000_000,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit).map(Threshold::Bytes)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_the_environment_may_say() {
        let check = |text: &str, expected: Option<&[Threshold]>| {
            assert_eq!(parse(text).as_deref(), expected, "{text}");
        };
        let (percent, bytes) = (Threshold::Percent, Threshold::Bytes);
        check("50%,80%,95%", Some(&[percent(50), percent(80), percent(95)]));
        check(" 1% , 512MiB", Some(&[percent(1), bytes(512 << 20)]));
        check("2GB,100", Some(&[bytes(2_000_000_000), bytes(100)]));
        check("off", Some(&[]));
        check("", Some(&[]));
        for wrong in ["0%", "101%", "-1%", "%", "12XB", "1.5GiB", "50%,", "99999999999GiB"] {
            check(wrong, None);
        }
    }

    #[test]
    fn marks_are_of_the_limit_that_there_is() {
        let asked = [Threshold::Percent(50), Threshold::Bytes(7)];
        let check = |group, address_space, of_resident: &[u64], of_address_space: &[u64]| {
            let marks = Thresholds::within(&asked, group, address_space, || Some(4000));
            let expected = Thresholds {
                of_resident: of_resident.to_vec(),
                of_address_space: of_address_space.to_vec(),
            };
            assert_eq!(marks, expected, "{group:?} {address_space:?}");
        };
        check(Some(1000), None, &[500, 7], &[]);
        check(None, Some(2000), &[7], &[1000]);
        check(Some(1000), Some(2000), &[500, 7], &[1000]);
        check(None, None, &[2000, 7], &[]);
    }

    #[test]
    fn each_mark_is_passed_once() {
        let mut marks = vec![95, 80, 50];
        for (bytes, is_passed) in [
            (49, false),
            (50, true),
            (60, false),
            (90, true),
            (70, false),
            (200, true),
            (200, false),
        ] {
            assert_eq!(pass(&mut marks, bytes), is_passed, "{bytes}");
        }
    }
}
