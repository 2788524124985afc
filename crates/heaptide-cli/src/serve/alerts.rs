//! A finding that fails is told to somebody once: to a command, or to an address.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use heaptide_analyze::Report;
use heaptide_analyze::finding::Gate;
use heaptide_report::{View, alert};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::mpsc::{Receiver as Outbox, Sender, channel};

use crate::args::Receiver;
use crate::http::Client;
use crate::output;
use crate::watch::library::Id;

/// Messages that wait; more are dropped, with a word on standard error.
const MOST_WAITING: usize = 256;
/// Findings that are remembered as told.
const MOST_TOLD: usize = 10_000;
/// How often one is tried, the pause between two doubled each time.
const TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(10);

/// A message on its way.
#[derive(Debug)]
pub(super) struct Message {
    receiver: Receiver,
    text: String,
    body: String,
}

/// What has been told already.
#[derive(Debug)]
pub(super) struct Alerts {
    receiver: Receiver,
    outbox: Sender<Message>,
    told: BTreeSet<(Id, String)>,
}

impl Alerts {
    pub(super) fn new(receiver: Receiver) -> (Self, Outbox<Message>) {
        let (outbox, waiting) = channel(MOST_WAITING);
        (Self { receiver, outbox, told: BTreeSet::new() }, waiting)
    }

    /// Tells of findings that fail and were not told of yet.
    pub(super) fn tell(&mut self, id: &Id, report: &Report, host: &str, view: &View) {
        for run in &report.runs {
            let failing = run.findings.iter().filter(|it| it.ruling.gate == Gate::Fail);
            for finding in failing {
                let key = (id.clone(), finding.id.clone());
                if self.told.len() >= MOST_TOLD || !self.told.insert(key) {
                    continue;
                }
                let message = Message {
                    receiver: self.receiver.clone(),
                    text: alert::text(run, finding, view),
                    body: alert::write(run, finding, (host, id), view),
                };
                if self.outbox.try_send(message).is_err() {
                    output::warn(["an alert was dropped: too many wait to be delivered"]);
                }
            }
        }
    }
}

/// Delivers messages one after another, each until it arrives or was tried often enough.
pub(super) async fn deliver(mut outbox: Outbox<Message>) {
    while let Some(message) = outbox.recv().await {
        let mut pause = FIRST_PAUSE;
        for tried in 1..=TRIES {
            match tokio::time::timeout(PATIENCE, send(&message)).await {
                Ok(Ok(())) => break,
                _ if tried < TRIES => tokio::time::sleep(pause).await,
                Ok(Err(cause)) => output::warn([format!("an alert did not arrive: {cause:#}")]),
                Err(_) => output::warn(["an alert did not arrive: nobody answered in time"]),
            }
            pause *= 2;
        }
    }
}

async fn send(message: &Message) -> anyhow::Result<()> {
    match &message.receiver {
        Receiver::Command(command) => {
            // The message is data on standard input and in a variable, never part of the command.
            let mut child = Command::new("sh")
                .args(["-c", command])
                .env("HEAPTIDE_ALERT", &message.text)
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .kill_on_drop(true)
                .spawn()
                .context("cannot start a shell")?;
            if let Some(mut input) = child.stdin.take() {
                // A command need not read it.
                let _ = input.write_all(message.body.as_bytes()).await;
            }
            let status = child.wait().await.context("cannot wait for the command")?;
            ensure!(status.success(), "the command ended with {status}");
        }
        Receiver::Http { address, path } => {
            let client = Client::connect(address.as_str()).await.context("cannot connect")?;
            let status = client.post(address, path, &message.body).await?;
            ensure!((200..300).contains(&status), "{address} answered {status}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a recording says reaches a shell as data.
    #[test]
    fn a_command_is_handed_the_message_as_data() -> anyhow::Result<()> {
        let dir = tempfile::tempdir()?;
        let (body, text) = (dir.path().join("body"), dir.path().join("text"));
        let command = format!(
            "cat > {} && printf %s \"$HEAPTIDE_ALERT\" > {}",
            body.display(),
            text.display()
        );
        let hostile = "'; touch pwned; $(touch pwned) `touch pwned`";
        let message = Message {
            receiver: Receiver::Command(command),
            text: hostile.into(),
            body: format!("{{\"text\":\"{hostile}\"}}"),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(send(&message))?;
        assert_eq!(std::fs::read_to_string(body)?, message.body);
        assert_eq!(std::fs::read_to_string(text)?, hostile);
        let fails = Message { receiver: Receiver::Command("exit 3".into()), ..message };
        assert!(runtime.block_on(send(&fails)).is_err());
        Ok(())
    }
}
