//! The watched program: started with a recording switched on, and stopped gently.

use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Context;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use super::interrupts;
use super::live::LiveRecording;

const SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(2);

/// Where the program's standard output goes: ours belongs to the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// To our standard error.
    PassedOn,
    /// To [`Program::output`].
    Piped,
}

/// How a program is started and stopped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start<'a> {
    /// Absolute path of the directory for its recordings.
    pub(crate) out: &'a Path,
    /// Time between snapshots.
    pub(crate) interval: Duration,
    pub(crate) output: Output,
    /// How long it may take to end after SIGTERM.
    pub(crate) grace: Duration,
}

/// A program that runs and records.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    pid: u32,
    grace: Duration,
}

impl Program {
    /// Starts `command` with its recording switched on.
    pub(crate) fn start(command: &[String], start: &Start<'_>) -> anyhow::Result<Self> {
        let (program, args) = command.split_first().context("no program was named")?;
        let stdout = match start.output {
            Output::PassedOn => Stdio::from(io::stderr()),
            Output::Piped => Stdio::piped(),
        };
        let started = Command::new(program)
            .args(args)
            .env("HEAPTIDE_OUT", start.out)
            .env("HEAPTIDE_INTERVAL", format!("{}ms", start.interval.as_millis().max(1)))
            .env("HEAPTIDE_SIGNAL", "USR2")
            .env("HEAPTIDE_FINISH_ON_TERM", "1")
            .stdout(stdout)
            .kill_on_drop(true)
            .spawn();
        let child = started.with_context(|| format!("cannot run `{program}`"))?;
        let pid = child.id().with_context(|| format!("`{program}` ended at once"))?;
        Ok(Self { child, pid, grace: start.grace })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Its standard output, if piped and not taken yet.
    pub(crate) fn output(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Waits for its end.
    pub(crate) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Asks for a last snapshot under load, then for the program's end.
    pub(crate) async fn stop(&mut self) -> anyhow::Result<ExitStatus> {
        if let Ok(recording) = LiveRecording::of(self.pid.cast_signed()) {
            // One snapshot fewer is no reason to fail a run: the verdict counts what it has.
            let _ = recording.snapshot(SNAPSHOT_TIMEOUT).await;
        }
        self.end_with(Signal::SIGTERM).await
    }

    /// Passes on a signal that ends programs, and waits.
    pub(crate) async fn interrupt(&mut self, signal: Signal) -> anyhow::Result<ExitStatus> {
        if interrupts::was_sent_to_all(signal) {
            if let Ok(status) = timeout(self.grace, self.child.wait()).await {
                return Ok(status?);
            }
            return self.end_with(Signal::SIGTERM).await;
        }
        self.end_with(signal).await
    }

    async fn end_with(&mut self, signal: Signal) -> anyhow::Result<ExitStatus> {
        if self.child.id().is_some() {
            // A program that ended in this very moment is waited for all the same.
            let _ = kill(Pid::from_raw(self.pid.cast_signed()), signal);
        }
        if let Ok(status) = timeout(self.grace, self.child.wait()).await {
            return Ok(status?);
        }
        self.child.kill().await?;
        Ok(self.child.wait().await?)
    }
}
