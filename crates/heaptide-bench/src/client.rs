//! The load on the service: a few connections, kept open; one request under way on each. It is as
//! simple as it can be, because what it takes of the processors the service does not get.
//!
//! Either the next requests follow on the answers, which shows what the service is capable of; or each is
//! due at a time of its own, which shows how long people wait. Then an answer is late from the time that its
//! request was due, not from when it could be sent: or a service that stops for a second would look well
//! (Tene's "coordinated omission").

use std::io::{BufRead, BufReader, Error, Read, Result, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::measure::{Length, ns};

/// Several for each processor of a small machine, so that the service seldom waits for its load.
const N_CONNECTIONS: u64 = 16;
/// Users take turns; each adds to a cart, looks for more, looks at the cart, and empties it.
const N_USERS: u64 = 1_000;
/// Requests that are due in a second: some half of what the service is capable of unprofiled, on two slow
/// processors that it shares with its load.
const DUE_PER_SECOND: u64 = 20_000;

/// What was asked and answered.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Load {
    /// Requests that were answered.
    pub requests: u64,
    /// Time on the wall.
    pub wall_ns: u64,
    /// How late the answers were, if requests were due: in the middle, and for the last of a hundred and of
    /// a thousand.
    pub latency_ns: Option<[u64; 3]>,
}

/// Asks the service at `port` for so long, or so often.
///
/// # Errors
/// When the service cannot be reached, or answers what it should not.
pub fn run(port: u16, unit: &str, amount: u64) -> Result<Load> {
    let connect = |_| TcpStream::connect(("127.0.0.1", port)).map(BufReader::new);
    let mut connections = (0..N_CONNECTIONS).map(connect).collect::<Result<Vec<_>>>()?;
    for connection in &connections {
        connection.get_ref().set_nodelay(true)?;
    }
    let time = Duration::from_millis(amount);
    match unit {
        "requests" => as_answered(&mut connections, Length::Ops(amount)),
        "ms" => as_answered(&mut connections, Length::For(time)),
        "ms-paced" => as_due(connections, time),
        _ => Err(Error::other(format!("`{unit}` is none of `requests`, `ms`, `ms-paced`"))),
    }
}

fn as_answered(connections: &mut [BufReader<TcpStream>], length: Length) -> Result<Load> {
    let start = Instant::now();
    let mut requests = 0;
    for batch in length.batches(N_CONNECTIONS) {
        for (connection, n) in connections.iter_mut().zip(0..batch) {
            connection.get_mut().write_all(request(requests + n).as_bytes())?;
        }
        for (connection, _) in connections.iter_mut().zip(0..batch) {
            answer(connection)?;
        }
        requests += batch;
    }
    Ok(Load { requests, wall_ns: ns(start.elapsed()), latency_ns: None })
}

/// Each connection has a thread that waits until its next request is due.
fn as_due(connections: Vec<BufReader<TcpStream>>, time: Duration) -> Result<Load> {
    let start = Instant::now();
    let ask = |first: u64, mut connection: BufReader<TcpStream>| -> Result<Vec<u64>> {
        let mut late = Vec::new();
        for n in (first..).step_by(N_CONNECTIONS as usize) {
            let due = Duration::from_nanos(n * 1_000_000_000 / DUE_PER_SECOND);
            if due >= time {
                break;
            }
            thread::sleep(due.saturating_sub(start.elapsed()));
            connection.get_mut().write_all(request(n).as_bytes())?;
            answer(&mut connection)?;
            late.push(ns(start.elapsed().saturating_sub(due)));
        }
        Ok(late)
    };
    let late = thread::scope(|scope| {
        let ask = &ask;
        let threads: Vec<_> = (0..)
            .zip(connections)
            .map(|(first, connection)| scope.spawn(move || ask(first, connection)))
            .collect();
        let failed = |_| Error::other("a thread of the load failed");
        let late = threads.into_iter().map(|thread| thread.join().map_err(failed)?);
        late.collect::<Result<Vec<_>>>()
    })?;
    let mut late = late.concat();
    late.sort_unstable();
    let last_of =
        |n: usize| late.len().checked_sub(1 + late.len() / n).and_then(|at| late.get(at)).copied();
    let latency_ns = last_of(2).zip(last_of(100)).zip(last_of(1_000));
    Ok(Load {
        requests: late.len() as u64,
        wall_ns: ns(start.elapsed()),
        latency_ns: latency_ns
            .map(|((middle, hundredth), thousandth)| [middle, hundredth, thousandth]),
    })
}

fn request(n: u64) -> String {
    let user = n / 4 % N_USERS;
    match n % 4 {
        0 => {
            let body = format!(r#"{{"name":"tide table {user}","quantity":2}}"#);
            let length = body.len();
            format!(
                "POST /carts/{user} HTTP/1.1\r\nhost: shop\r\ncontent-type: application/json\r\n\
                 content-length: {length}\r\n\r\n{body}"
            )
        }
        1 => "GET /items?query=lantern HTTP/1.1\r\nhost: shop\r\naccept: */*\r\n\r\n".to_owned(),
        2 => format!("GET /carts/{user} HTTP/1.1\r\nhost: shop\r\naccept: */*\r\n\r\n"),
        _ => format!("DELETE /carts/{user} HTTP/1.1\r\nhost: shop\r\n\r\n"),
    }
}

/// Reads one answer to its end.
fn answer(connection: &mut BufReader<TcpStream>) -> Result<()> {
    let mut line = String::new();
    connection.read_line(&mut line)?;
    if !line.starts_with("HTTP/1.1 2") {
        return Err(Error::other(format!("the service answered `{}`", line.trim_end())));
    }
    let mut length = 0;
    while line != "\r\n" {
        line.clear();
        if connection.read_line(&mut line)? == 0 {
            return Err(Error::other("the service hung up"));
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(Error::other)?;
        }
    }
    std::io::copy(&mut connection.take(length), &mut std::io::sink()).map(drop)
}
