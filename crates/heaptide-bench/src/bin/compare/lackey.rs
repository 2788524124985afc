//! Every access to memory, as Valgrind's lackey prints it: which cache lines, and by which instruction.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::contender::Contender;
use ci::tool;

/// Bytes of a cache line.
pub(crate) const LINE_BYTES: u64 = 64;

/// A line as one instruction uses it; `by` is `None` if the line is fetched to be executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Use {
    pub(crate) line: u64,
    pub(crate) by: Option<u64>,
}

/// How often each line was used.
pub(crate) type Uses = HashMap<Use, u64>;

/// The uses of the longer run beyond those of the shorter, so that start and end cancel out.
pub(crate) fn of_work(
    contender: &Contender,
    workload: &str,
    [short, long]: [u64; 2],
    scratch: &Path,
) -> Result<Uses> {
    tool::need("valgrind", "valgrind")?;
    let before = trace(contender, workload, short, scratch)?;
    let mut uses = trace(contender, workload, long, scratch)?;
    uses.retain(|key, n| {
        *n = n.saturating_sub(before.get(key).copied().unwrap_or(0));
        *n > 0
    });
    Ok(uses)
}

/// All uses in one run. They are counted as they come; the trace is not kept.
fn trace(contender: &Contender, workload: &str, ops: u64, scratch: &Path) -> Result<Uses> {
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=lackey", "--trace-mem=yes"])
        .arg(contender.binary.path())
        .args([workload, "--ops", &ops.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    contender.switch_on(&mut command, scratch);
    // The recorder would look at the clock and at the process, more often the longer it takes.
    command.env("HEAPTIDE_THRESHOLD", "off");
    let _ = std::fs::remove_file(contender.recording(scratch));
    let mut child = command.spawn().context("`valgrind` does not start")?;
    let mut printed = BufReader::new(child.stderr.take().context("no pipe")?);
    let (mut uses, mut text, mut instruction) = (Uses::new(), Vec::new(), 0);
    while printed.read_until(b'\n', &mut text)? > 0 {
        if let Some(access) = Access::parse(&text) {
            let by = (!access.is_fetch).then_some(instruction);
            if access.is_fetch {
                instruction = access.address;
            }
            for line in access.lines() {
                *uses.entry(Use { line, by }).or_default() += 1;
            }
        }
        text.clear();
    }
    let status = child.wait()?;
    ensure!(status.success(), "{} under lackey: {status}", contender.name);
    Ok(uses)
}

/// One line of the trace.
#[derive(Debug, PartialEq)]
struct Access {
    is_fetch: bool,
    address: u64,
    bytes: u64,
}

impl Access {
    /// `I  04001000,3` is an instruction, ` L 1fff000768,8`, ` S` and ` M` are what it loads and stores.
    fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let (kind, place) = text.split_at_checked(3)?;
        let is_fetch = match kind {
            "I  " => true,
            " L " | " S " | " M " => false,
            _ => return None,
        };
        let (address, bytes) = place.trim_end().split_once(',')?;
        let address = u64::from_str_radix(address, 16).ok()?;
        Some(Self { is_fetch, address, bytes: bytes.parse().ok()? })
    }

    fn lines(&self) -> impl Iterator<Item = u64> + use<> {
        let last = self.address + self.bytes.saturating_sub(1);
        self.address / LINE_BYTES..=last / LINE_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_is_read_with_the_lines_it_touches() {
        let check = |text: &str, expected: Option<(bool, &[u64])>| {
            let access = Access::parse(text.as_bytes());
            let lines: Vec<u64> = access.iter().flat_map(Access::lines).collect();
            let seen = access.map(|access| (access.is_fetch, &lines[..]));
            assert_eq!(seen, expected, "{text}");
        };
        check("I  04001000,3\n", Some((true, &[0x10_0040])));
        check(" L 1fff000778,8\n", Some((false, &[0x7ffc_001d])));
        check(" S 1fff00077c,8\n", Some((false, &[0x7ffc_001d, 0x7ffc_001e])));
        check(" M 00000040,0\n", Some((false, &[1])));
        check("==5754== Command: /bin/true\n", None);
        check(" L what,8\n", None);
    }
}
