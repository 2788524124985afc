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

/// The last snapshot before a program is stopped: one that takes longer is done without, for the
/// program writes another when it ends.
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

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

    use super::*;

    /// Starts a script with a grace that is too short to be waited for in vain.
    fn start(script: &str) -> anyhow::Result<Program> {
        let command = ["sh", "-c", script].map(str::to_owned);
        let (interval, grace) = (Duration::from_micros(7_900), Duration::from_millis(300));
        Program::start(
            &command,
            &Start { out: Path::new("/rec"), interval, output: Output::Piped, grace },
        )
    }

    fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(future)
    }

    #[test]
    fn a_program_is_told_to_record() -> anyhow::Result<()> {
        let script = "echo $HEAPTIDE_OUT $HEAPTIDE_INTERVAL $HEAPTIDE_SIGNAL \
                      $HEAPTIDE_FINISH_ON_TERM";
        block_on(async {
            let mut program = start(script)?;
            let mut said = String::new();
            program.output().context("it is piped")?.read_to_string(&mut said).await?;
            assert_eq!(said, "/rec 7ms USR2 1\n");
            assert!(program.wait().await?.success());
            Ok(())
        })
    }

    #[test]
    fn a_program_ends_when_it_is_asked_or_is_killed() -> anyhow::Result<()> {
        let check = |script: &str, signal: Signal, raw: i32| {
            block_on(async {
                let mut program = start(script)?;
                let mut output = BufReader::new(program.output().context("it is piped")?);
                // From its first line on the script has set its traps.
                output.read_line(&mut String::new()).await?;
                let status = match signal {
                    Signal::SIGTERM => program.stop().await?,
                    signal => program.interrupt(signal).await?,
                };
                assert_eq!(status.into_raw(), raw, "{script} by {signal}");
                Ok(())
            })
        };
        check("echo; exec sleep 60", Signal::SIGTERM, Signal::SIGTERM as i32)?;
        check("echo; exec sleep 60", Signal::SIGHUP, Signal::SIGHUP as i32)?;
        check("trap 'exit 4' TERM; echo; sleep 60 & wait", Signal::SIGTERM, 4 << 8)?;
        check("trap '' TERM; echo; exec sleep 60", Signal::SIGTERM, Signal::SIGKILL as i32)
    }

    #[test]
    fn a_program_that_cannot_be_started_is_named() {
        let start = |command: &[String]| {
            let (interval, grace) = (Duration::from_secs(1), Duration::from_secs(1));
            let out = Path::new("/rec");
            Program::start(command, &Start { out, interval, output: Output::PassedOn, grace })
        };
        let said = block_on(async { start(&["/no/such/program".to_owned()]) });
        let said = said.map_err(|cause| cause.to_string());
        assert!(said.is_err_and(|said| said == "cannot run `/no/such/program`"));
        assert!(block_on(async { start(&[]) }).is_err());
    }
}
