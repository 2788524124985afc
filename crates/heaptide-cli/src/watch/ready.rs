//! Waiting until a program records and answers.

use std::cell::RefCell;
use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::recordings::OutDir;
use super::unrecorded::{exe_of, no_recording};
use crate::args::Ready;
use crate::http::Client;
use crate::output::tell;

/// Often enough that nobody waits for it, and seldom enough that a program that starts is not kept
/// busy with answers.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A service that takes connections and does not answer within this is not ready yet; another
/// attempt follows.
const ONE_ATTEMPT: Duration = Duration::from_secs(2);
/// Most programs allocate, and so record, within milliseconds.
const SOON: Duration = Duration::from_secs(5);

/// Waits for a recording of process `pid` or a child of it, and then for `ready`.
pub(crate) async fn wait(
    out: &OutDir,
    pid: u32,
    ready: &Ready,
    limit: Duration,
) -> anyhow::Result<()> {
    let shown = humantime::format_duration(limit);
    if timeout(limit.min(SOON), recording(out)).await.is_err() && limit > SOON {
        tell(&format!("no recording yet: waiting for up to {shown} (--ready-timeout)"));
        timeout(limit - SOON, recording(out)).await.unwrap_or(Ok(()))?;
    }
    if out.new_segments(0)?.is_empty() {
        anyhow::bail!("{}\n(waited {shown})", no_recording(exe_of(pid).as_deref()));
    }
    let reason = RefCell::new("nothing was asked yet".to_owned());
    if timeout(limit, answer(ready, &reason)).await.is_err() {
        let reason = reason.borrow();
        anyhow::bail!(
            "the program records but is not ready after {shown} (--ready {ready}): {reason}"
        );
    }
    Ok(())
}

async fn recording(out: &OutDir) -> io::Result<()> {
    while out.new_segments(0)?.is_empty() {
        sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// Asks until the answer is good; `reason` says why the last one was not.
async fn answer(ready: &Ready, reason: &RefCell<String>) {
    loop {
        match timeout(ONE_ATTEMPT, attempt(ready)).await {
            Ok(Ok(())) => return,
            Ok(Err(cause)) => *reason.borrow_mut() = cause.to_string(),
            Err(_) => *reason.borrow_mut() = format!("no answer within {ONE_ATTEMPT:?}"),
        }
        sleep(LOOK_EVERY).await;
    }
}

async fn attempt(ready: &Ready) -> io::Result<()> {
    match ready {
        Ready::Recording => Ok(()),
        Ready::Tcp(address) => TcpStream::connect(address).await.map(drop),
        Ready::Http { address, path } => {
            // The status tells, so a body is left where it is, however long.
            match Client::connect(address).await?.status("GET", path).await? {
                200..300 => Ok(()),
                status => Err(io::Error::other(not_success(status))),
            }
        }
    }
}

fn not_success(status: u16) -> String {
    let hint = match status {
        300..400 => ": ask the address it leads to",
        _ => "",
    };
    format!("it answers with status {status}{hint}")
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// A service that sends `parts` of an answer to whoever connects, until it is hung up on.
    fn serve(parts: &'static [&'static [u8]]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound").to_string();
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut request = [0; 1024];
                let _ = stream.read(&mut request);
                let (once, forever) = parts.split_at(1);
                let mut sent = stream.write_all(once[0]);
                while let ([again], Ok(())) = (forever, &sent) {
                    sent = stream.write_all(again);
                }
            }
        });
        address
    }

    /// `--ready` never said why, took 301 for ready, and read an endless header until memory ran
    /// out.
    #[test]
    fn an_answer_is_ready_or_the_reason_is_known() -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let check = |parts: &'static [&'static [u8]], expected: Result<(), &str>| {
            let http = Ready::Http { address: serve(parts), path: "/health".into() };
            let found = runtime.block_on(attempt(&http)).map_err(|cause| cause.to_string());
            match expected {
                Ok(()) => assert_eq!(found, Ok(())),
                Err(says) => {
                    assert!(found.as_ref().is_err_and(|it| it.contains(says)), "{found:?}")
                }
            }
        };
        check(&[b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"], Ok(()));
        check(&[b"HTTP/1.1 204 No Content\r\n\r\n"], Ok(()));
        check(&[b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n", b"body"], Ok(()));
        check(&[b"HTTP/1.1 500 Oops\r\n\r\n"], Err("status 500"));
        check(&[b"HTTP/1.1 301 Moved\r\n\r\n"], Err("status 301: ask the address it leads to"));
        check(&[b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"], Err("longer than 65536 bytes"));
        check(&[b"HTTP/1.1 200 OK\r\nx: ", b"endless"], Err("longer than 65536 bytes"));
        check(&[b"", b"endless"], Err("longer than 65536 bytes"));
        check(&[b"SSH-2.0-x\r\n"], Err("not an HTTP/1.1 answer"));
        check(&[b"HTTP/1.1 200 OK\r\n"], Err("before its header was complete"));
        Ok(())
    }

    #[test]
    fn an_open_port_is_enough_where_no_address_is_asked() -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let check = |address: &str, is_ready: bool| {
            let found = runtime.block_on(attempt(&Ready::Tcp(address.into())));
            assert_eq!(found.is_ok(), is_ready, "{address}: {found:?}");
        };
        check(&serve(&[b""]), true);
        check("127.0.0.1:1", false);
        assert!(runtime.block_on(attempt(&Ready::Recording)).is_ok());
        Ok(())
    }
}
