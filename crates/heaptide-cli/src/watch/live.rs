//! A process that is recording right now, and how to ask it for a snapshot without harming it.
//!
//! A signal that a program does not catch ends it. So nothing is sent before `/proc` has shown
//! that this process has a recording open, and that it catches the signal the recording names.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::recordings::{self, Segment};
use super::tail::Tail;

/// A snapshot takes about a millisecond: this is the most that asking for one is delayed.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A live process and the recording it has open.
#[derive(Debug)]
pub(crate) struct LiveRecording {
    pid: Pid,
    pub(crate) segment: Segment,
}

impl LiveRecording {
    /// Finds the recording that process `pid` has open.
    pub(crate) fn of(pid: i32) -> anyhow::Result<Self> {
        let segment = open_segment(pid)?.with_context(|| {
            format!(
                "process {pid} has no recording open; start it with HEAPTIDE_OUT=DIR or under \
                 `heaptide run`, with `#[global_allocator] static HEAP: heaptide::Heaptide` in it"
            )
        })?;
        Ok(Self { pid: Pid::from_raw(pid), segment })
    }

    /// Asks for a snapshot and waits until it is on disk.
    pub(crate) async fn snapshot(&self, limit: Duration) -> anyhow::Result<(PathBuf, u64)> {
        let signal = self.signal()?;
        let mut tail = Tail::from_end(&self.segment.path)?;
        kill(self.pid, signal).with_context(|| format!("cannot signal process {}", self.pid))?;
        let waited = tokio::time::timeout(limit, self.arrival(&mut tail)).await;
        waited.with_context(|| {
            let shown = humantime::format_duration(limit);
            format!("process {} wrote no snapshot within {shown} of {signal}", self.pid)
        })?
    }

    /// The signal that asks for a snapshot, once it is known to be caught.
    fn signal(&self) -> anyhow::Result<Signal> {
        let path = self.segment.path.display();
        let Some(word) = &self.segment.header.signal else {
            bail!(
                "{path} takes no snapshots by signal: start its program with HEAPTIDE_SIGNAL=USR2"
            );
        };
        let signal = Signal::from_str(&format!("SIG{}", word.trim_start_matches("SIG")))
            .with_context(|| format!("{path} names an unknown signal `{word}`"))?;
        if !is_caught(self.pid, signal)? {
            bail!("process {} does not catch {signal}: sending it would end it", self.pid);
        }
        Ok(signal)
    }

    async fn arrival(&self, tail: &mut Tail) -> anyhow::Result<(PathBuf, u64)> {
        let mut n_newer = 0;
        loop {
            for snapshot in tail.read()? {
                n_newer += 1;
                // The second newer one was begun after the signal, whatever it was taken for.
                if snapshot.reason == heaptide_format::Reason::Signal || n_newer == 2 {
                    return Ok((tail.path().to_owned(), snapshot.seq));
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
            match open_segment(self.pid.as_raw())? {
                None => bail!("process {} ended before its snapshot was written", self.pid),
                Some(segment) if segment.path != tail.path() => {
                    *tail = Tail::from_start(&segment.path)?;
                }
                Some(_) => {}
            }
        }
    }
}

/// The newest segment that a process has open; `None` if it records nothing.
///
/// Each thread is looked at, because the one that records has descriptors of its own.
fn open_segment(pid: i32) -> anyhow::Result<Option<Segment>> {
    let dir = PathBuf::from(format!("/proc/{pid}/task"));
    let threads = match fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(_) if !Path::new(&format!("/proc/{pid}")).exists() => bail!("no process {pid}"),
        Err(cause) => {
            return Err(cause).with_context(|| format!("cannot see what process {pid} has open"));
        }
    };
    let descriptors =
        threads.filter_map(|thread| fs::read_dir(thread.ok()?.path().join("fd")).ok());
    let files = descriptors.flatten().filter_map(|entry| file_of(pid, &entry.ok()?.path()));
    let own_pid = pid_in_own_namespace(pid);
    let own = files.filter_map(|path| recordings::segment(&path));
    let own = own.filter(|segment| i64::from(segment.header.pid) == i64::from(own_pid));
    Ok(own.max_by_key(|segment| (segment.header.start_unix_ns, segment.header.segment)))
}

/// Where we find the file that a descriptor of a process stands for. In a container its path may mean
/// nothing here, or another file; then the process's root leads there.
fn file_of(pid: i32, descriptor: &Path) -> Option<PathBuf> {
    let open = fs::metadata(descriptor).ok()?;
    // Reading from anything but a file could wait for ever.
    if !open.is_file() {
        return None;
    }
    let path = fs::read_link(descriptor).ok()?;
    let from_its_root = Path::new(&format!("/proc/{pid}/root")).join(path.strip_prefix("/").ok()?);
    let is_it = |path: &PathBuf| {
        fs::metadata(path).is_ok_and(|it| (it.dev(), it.ino()) == (open.dev(), open.ino()))
    };
    [path, from_its_root].into_iter().find(is_it)
}

/// What a process takes for its id: in a container, another number than ours for it.
fn pid_in_own_namespace(pid: i32) -> i32 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    innermost_pid(&status).unwrap_or(pid)
}

/// The last number of `NSpid` of a `/proc/PID/status`, which begins with our own namespace's.
fn innermost_pid(status: &str) -> Option<i32> {
    let pids = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    pids.split_whitespace().last()?.parse().ok()
}

fn is_caught(pid: Pid, signal: Signal) -> anyhow::Result<bool> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    Ok(caught_mask(&status).is_some_and(|mask| mask & (1 << (signal as i32 - 1)) != 0))
}

/// `SigCgt` of a `/proc/PID/status`: one bit per caught signal, signal 1 lowest.
fn caught_mask(status: &str) -> Option<u64> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caught_signals_are_read_from_status() {
        let status = "Name:\tshop\nSigIgn:\t0000000000001000\nSigCgt:\t0000000000000800\n";
        assert_eq!(caught_mask(status), Some(1 << (Signal::SIGUSR2 as i32 - 1)));
        assert_eq!(caught_mask("Name:\tshop\n"), None);
    }

    #[test]
    fn a_process_in_a_container_has_an_id_of_its_own() {
        assert_eq!(innermost_pid("Name:\tshop\nNSpid:\t2468\t17\t1\nThreads:\t2\n"), Some(1));
        assert_eq!(innermost_pid("NSpid:\t2468\n"), Some(2468));
        assert_eq!(innermost_pid("Name:\tshop\n"), None);
    }

    #[test]
    fn a_process_without_a_recording_is_told_so() {
        let own = i32::try_from(std::process::id()).unwrap_or_default();
        let said = LiveRecording::of(own).map_err(|err| err.to_string());
        assert!(said.is_err_and(|said| said.contains("has no recording open")));
    }

    /// A recording that this very process has open.
    fn recording(signal: Option<&str>, segment: u32) -> anyhow::Result<tempfile::NamedTempFile> {
        let file = tempfile::NamedTempFile::new()?;
        let header = heaptide_format::Header {
            pid: std::process::id(),
            signal: signal.map(str::to_owned),
            segment,
            ..heaptide_format::Header::default()
        };
        let mut line = Vec::new();
        heaptide_format::Line::Header(header).write_to(&mut line);
        fs::write(file.path(), line)?;
        Ok(file)
    }

    /// A signal that is not caught ends a process.
    #[test]
    fn no_signal_is_sent_that_would_end_the_process() -> anyhow::Result<()> {
        let check = |signal: Option<&str>, says: &str| -> anyhow::Result<()> {
            let file = recording(signal, 0)?;
            let segment = recordings::segment(file.path()).context("it has a header")?;
            let said = LiveRecording { pid: Pid::this(), segment }.signal();
            assert!(said.as_ref().is_err_and(|it| it.to_string().contains(says)), "{said:?}");
            Ok(())
        };
        check(None, "takes no snapshots by signal")?;
        check(Some("NONSENSE"), "names an unknown signal `NONSENSE`")?;
        check(Some("XCPU"), "does not catch SIGXCPU: sending it would end it")?;
        check(Some("SIGXCPU"), "does not catch SIGXCPU")
    }
}
