//! Waiting until a program records and answers.

use std::io;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::recordings::OutDir;
use crate::args::Ready;
use crate::http::Client;
use crate::output::tell;

const LOOK_EVERY: Duration = Duration::from_millis(50);
const ONE_ATTEMPT: Duration = Duration::from_secs(2);
/// Most programs allocate, and so record, within milliseconds.
const SOON: Duration = Duration::from_secs(5);

/// Waits for a recording and then for `ready`.
pub(crate) async fn wait(out: &OutDir, ready: &Ready, limit: Duration) -> anyhow::Result<()> {
    let shown = humantime::format_duration(limit);
    if timeout(limit.min(SOON), recording(out)).await.is_err() && limit > SOON {
        tell(&format!("no recording yet: waiting for up to {shown} (--ready-timeout)"));
        timeout(limit - SOON, recording(out)).await.unwrap_or(Ok(()))?;
    }
    if out.new_segments(0)?.is_empty() {
        anyhow::bail!("{} (waited {shown})", no_recording());
    }
    timeout(limit, answer(ready))
        .await
        .with_context(|| format!("the program records but is not ready after {shown} (--ready)"))
}

/// Why there may be none, for people who are about to look for the reason.
pub(crate) fn no_recording() -> &'static str {
    "no recording appeared: is this line in the program, and is it the program that was run?\n\
     \x20   #[global_allocator] static HEAP: heaptide::Heaptide = heaptide::Heaptide::new();"
}

async fn recording(out: &OutDir) -> io::Result<()> {
    while out.new_segments(0)?.is_empty() {
        sleep(LOOK_EVERY).await;
    }
    Ok(())
}

async fn answer(ready: &Ready) {
    loop {
        let attempt = async {
            match ready {
                Ready::Recording => true,
                Ready::Tcp(address) => TcpStream::connect(address).await.is_ok(),
                Ready::Http { address, path } => is_served(address, path).await.unwrap_or(false),
            }
        };
        if timeout(ONE_ATTEMPT, attempt).await.unwrap_or(false) {
            return;
        }
        sleep(LOOK_EVERY).await;
    }
}

async fn is_served(address: &str, path: &str) -> io::Result<bool> {
    let answer = Client::connect(address).await?.ask("GET", path).await?;
    Ok((200..400).contains(&answer.status))
}
