//! The load command: a shell command with a process group of its own, so that stopping it reaches
//! all it started. What does not heed that is ended with the rest of the process tree.

use std::cell::Cell;
use std::io;
use std::process::{ExitStatus, Stdio};

use anyhow::Context;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

use super::process_tree::Process;

/// The process group of the load command, once it was started.
#[derive(Debug, Default)]
pub(crate) struct LoadGroup(Cell<Option<u32>>);

impl LoadGroup {
    /// Whether this process belongs to the load.
    pub(crate) fn holds(&self, process: &Process) -> bool {
        self.0.get().is_some_and(|group| process.group == group.cast_signed())
    }
}

/// A load command that runs until it ends or is dropped.
#[derive(Debug)]
pub(crate) struct Load {
    child: Child,
}

impl Load {
    /// Starts `sh -c COMMAND`; what it prints goes to standard error.
    pub(crate) fn start(command: &str, group: &LoadGroup) -> anyhow::Result<Self> {
        let started = Command::new("sh")
            .args(["-c", command])
            .stdin(Stdio::null())
            .stdout(io::stderr())
            .process_group(0)
            .spawn();
        let child = started.context("cannot run `sh` for --load")?;
        group.0.set(child.id());
        Ok(Self { child })
    }

    /// Process id of its shell, and of its process group; `None` once it has ended.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits for its end.
    pub(crate) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        if let Some(pid) = self.child.id().and_then(|pid| i32::try_from(pid).ok()) {
            // It may have ended a moment ago; then there is nothing to stop.
            let _ = killpg(Pid::from_raw(pid), Signal::SIGTERM);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::process_tree::tests::running;

    fn runtime() -> io::Result<tokio::runtime::Runtime> {
        tokio::runtime::Builder::new_current_thread().enable_all().build()
    }

    #[test]
    fn a_load_ends_as_its_shell_does() -> anyhow::Result<()> {
        for (command, code) in [("true", 0), ("exit 3", 3), ("no-such-command 2>&-", 127)] {
            let status = runtime()?.block_on(async {
                Load::start(command, &LoadGroup::default())?.wait().await.context("it ends")
            })?;
            assert_eq!(status.code(), Some(code), "{command}");
        }
        Ok(())
    }

    #[test]
    fn a_load_has_a_group_of_its_own_and_ends_with_it() -> anyhow::Result<()> {
        runtime()?.block_on(async {
            let group = LoadGroup::default();
            let mut load = Load::start("sleep 60 & wait", &group)?;
            let pid = load.pid().context("it runs")?.cast_signed();
            assert_eq!(nix::unistd::getpgid(Some(Pid::from_raw(pid)))?.as_raw(), pid);
            let mut process = running(7, "sleep");
            assert!(!group.holds(&process));
            process.group = pid;
            assert!(group.holds(&process));
            let child = std::mem::replace(&mut load.child, Command::new("true").spawn()?);
            drop(Load { child });
            // The group is there until its last process has ended.
            while killpg(Pid::from_raw(pid), None).is_ok() {
                tokio::task::yield_now().await;
            }
            Ok(())
        })
    }
}
