//! The load command: a shell command with a process group of its own, so that stopping it stops
//! all it started.

use std::io;
use std::process::{ExitStatus, Stdio};

use anyhow::Context;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

/// A load command that runs until it ends or is dropped.
#[derive(Debug)]
pub(crate) struct Load {
    child: Child,
}

impl Load {
    /// Starts `sh -c COMMAND`; what it prints goes to standard error.
    pub(crate) fn start(command: &str) -> anyhow::Result<Self> {
        let started = Command::new("sh")
            .args(["-c", command])
            .stdin(Stdio::null())
            .stdout(io::stderr())
            .process_group(0)
            .spawn();
        Ok(Self { child: started.context("cannot run `sh` for --load")? })
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
