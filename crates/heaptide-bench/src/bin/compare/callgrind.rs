//! Instructions counted by callgrind: what a thing costs whatever the day, the machine and the
//! neighbours.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::contender::Contender;
use ci::tool;

/// Instructions per operation of a workload: those of the longer run less those of the shorter, so
/// that start and end cancel out.
pub(crate) fn per_op(
    contender: &Contender,
    workload: &str,
    [short, long]: [u64; 2],
    scratch: &Path,
) -> Result<f64> {
    tool::need("valgrind", "valgrind")?;
    let less = total(contender, workload, short, scratch)?;
    let more = total(contender, workload, long, scratch)?;
    Ok((more - less) as f64 / (long - short) as f64)
}

fn total(contender: &Contender, workload: &str, ops: u64, scratch: &Path) -> Result<u64> {
    let counts = scratch.join("callgrind.out");
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--separate-threads=yes"])
        .arg(format!("--callgrind-out-file={}", counts.display()))
        .arg(contender.binary.path())
        .args([workload, "--ops", &ops.to_string()]);
    contender.switch_on(&mut command, scratch);
    let _ = std::fs::remove_file(contender.recording(scratch));
    let output = command.output().context("`valgrind` does not start")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{} under callgrind: {}\n{said}",
        contender.name,
        output.status
    );
    // Of the thread that works; what the recorder writes meanwhile is no part of an operation.
    let of_first_thread = scratch.join("callgrind.out-01");
    let text = std::fs::read_to_string(&of_first_thread)
        .with_context(|| of_first_thread.display().to_string())?;
    totals(&text).with_context(|| format!("{} has no totals", of_first_thread.display()))
}

/// The number behind `totals:`.
fn totals(counts: &str) -> Option<u64> {
    counts.lines().find_map(|line| line.strip_prefix("totals: "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_totals_are_found_among_the_counts() {
        assert_eq!(totals("events: Ir\n\nfn=(1) main\n16 7\n\ntotals: 123\n"), Some(123));
        assert_eq!(totals("events: Ir\nsummary: 123\n"), None);
    }
}
