//! The load on the service: a few connections, kept open; one request under way on each. It is as
//! simple as it can be, because what it takes of the processors the service does not get.

use std::io::{BufRead, BufReader, Error, Read, Result, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::measure::{Length, ns};

/// Several for each processor of a small machine, so that the service seldom waits for its load.
const N_CONNECTIONS: u64 = 16;
/// Users take turns; each adds to a cart, looks for more, looks at the cart, and empties it.
const N_USERS: u64 = 1_000;

/// What was asked and answered.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Load {
    /// Requests that were answered.
    pub requests: u64,
    /// Time on the wall.
    pub wall_ns: u64,
}

/// Asks the service at `port` for so long, or so often.
///
/// # Errors
/// When the service cannot be reached, or answers what it should not.
pub fn run(port: u16, unit: &str, amount: u64) -> Result<Load> {
    let length = match unit {
        "requests" => Length::Ops(amount),
        "ms" => Length::For(Duration::from_millis(amount)),
        _ => return Err(Error::other(format!("`{unit}` is neither `requests` nor `ms`"))),
    };
    let connect = |_| TcpStream::connect(("127.0.0.1", port)).map(BufReader::new);
    let mut connections = (0..N_CONNECTIONS).map(connect).collect::<Result<Vec<_>>>()?;
    for connection in &connections {
        connection.get_ref().set_nodelay(true)?;
    }
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
    Ok(Load { requests, wall_ns: ns(start.elapsed()) })
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
