//! Two processes for one `heaptide run`, so that nothing is left behind when one of them is killed.
//!
//! The one that people see, and may kill, is the *guardian*: it starts the command once more, as the
//! process that watches, passes on signals and its exit code, and does nothing else. When the
//! guardian dies, of whatever, the kernel sends the watching process SIGTERM, which ends the program
//! as any SIGTERM does. When the watching process dies, what it started becomes the guardian's, and
//! the guardian ends it.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use anyhow::{Context, bail};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getppid};
use tokio::process::Command;

use super::interrupts::Interrupts;
use super::process_tree::{ProcessTree, describe};
use crate::exit::Exit;
use crate::output::tell;

/// The watching process's view of the one above it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guardian(i32);

impl Guardian {
    /// In the watching process: asks for SIGTERM when the guardian, process `pid`, dies.
    pub(crate) fn watch_over_us(pid: i32) -> anyhow::Result<Self> {
        set_pdeathsig(Signal::SIGTERM).context("cannot follow the end of the first process")?;
        let guardian = Self(pid);
        if guardian.is_gone() {
            bail!("the process that started this run has ended; nothing was started");
        }
        Ok(guardian)
    }

    /// Whether it has died: then nobody waits for a verdict.
    pub(crate) fn is_gone(self) -> bool {
        getppid().as_raw() != self.0
    }
}

/// In the guardian: starts `heaptide run --guardian PID ARGUMENTS` and waits for its end. What is
/// left then has `grace` to end.
pub(crate) fn guard(
    arguments: impl IntoIterator<Item = OsString>,
    grace: Duration,
) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // The watching process hears of the end of the thread that started it, not of the process: so
    // it is started from this thread, which stays to the end.
    runtime.block_on(async {
        let mut interrupts = Interrupts::listen()?;
        let tree = ProcessTree::adopt()?;
        let exe = env::current_exe().context("cannot find this program's own file")?;
        let own_pid = Pid::this().to_string();
        let started =
            Command::new(exe).args(["run", "--guardian", &own_pid]).args(arguments).spawn();
        let mut watching = started.context("cannot start the process that watches")?;
        let pid = watching.id().context("the process that watches ended at once")?;
        tree.started(pid);
        let status = loop {
            tokio::select! {
                status = watching.wait() => break status?,
                signal = interrupts.next() => {
                    // It may have ended a moment ago; then there is nobody to tell.
                    let _ = kill(Pid::from_raw(pid.cast_signed()), signal);
                }
                never = tree.reap_orphans() => match never {},
            }
        };
        let ended = tree.end(grace).await;
        describe(&ended).iter().for_each(|line| tell(line));
        match status.code() {
            Some(code) => Ok(Exit::from_code(code)),
            None => {
                let signal = status.signal().and_then(|number| Signal::try_from(number).ok());
                let signal = signal.map_or("a signal", Signal::as_str);
                bail!("the process that watched the program was ended by {signal}: no verdict")
            }
        }
    })
}
