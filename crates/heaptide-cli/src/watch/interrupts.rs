//! Signals that are meant for the program we run, and reach us.

use std::io::{self, IsTerminal};

use nix::sys::signal::Signal;
use nix::unistd::{getpgrp, tcgetpgrp};
use tokio::signal::unix::{self, SignalKind};

/// The signals by which people and supervisors end things.
#[derive(Debug)]
pub(crate) struct Interrupts {
    interrupt: unix::Signal,
    terminate: unix::Signal,
    hang_up: unix::Signal,
    quit: unix::Signal,
}

impl Interrupts {
    /// Catches them from now on.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: unix::signal(SignalKind::interrupt())?,
            terminate: unix::signal(SignalKind::terminate())?,
            hang_up: unix::signal(SignalKind::hangup())?,
            quit: unix::signal(SignalKind::quit())?,
        })
    }

    /// The next one.
    pub(crate) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::SIGINT,
            _ = self.terminate.recv() => Signal::SIGTERM,
            _ = self.hang_up.recv() => Signal::SIGHUP,
            _ = self.quit.recv() => Signal::SIGQUIT,
        }
    }
}

/// Whether the terminal has sent this signal to our whole process group, the program included, so
/// that passing it on would send it twice.
pub(crate) fn was_sent_to_all(signal: Signal) -> bool {
    let stdin = io::stdin();
    signal != Signal::SIGTERM
        && stdin.is_terminal()
        && tcgetpgrp(stdin).is_ok_and(|foreground| foreground == getpgrp())
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::raise;

    use super::*;

    #[test]
    fn signals_that_end_things_are_caught() -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut interrupts = Interrupts::listen()?;
            for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT] {
                raise(signal)?;
                assert_eq!(interrupts.next().await, signal);
            }
            Ok(())
        })
    }

    #[test]
    fn sigterm_is_never_from_the_terminal() {
        assert!(!was_sent_to_all(Signal::SIGTERM));
    }
}
