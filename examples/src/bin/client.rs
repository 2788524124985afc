//! The shop's visitors: each logs in, looks around, puts two things into the cart and checks out.
//! One in four then logs out; the others just go.
//!
//! It installs no shim: this is the load, not the patient.

#![forbid(unsafe_code)]

use std::{io, net::SocketAddr, process::ExitCode, time::Duration};

use clap::Parser;
use heaptide_examples::duration;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    task::JoinSet,
    time,
};

/// Drives load against the shop
#[derive(Clone, Parser)]
struct Options {
    /// Where the shop listens
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:3000")]
    addr: SocketAddr,
    /// Visits, one after another, on each connection
    #[arg(long, default_value_t = 100)]
    rounds: u64,
    /// Connections at once
    #[arg(long, default_value_t = 4)]
    concurrency: u64,
    /// Wait so long before each request
    #[arg(long, value_name = "TIME", default_value = "1ms", value_parser = duration)]
    think: Duration,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = Options::parse();
    match drive(&options).await {
        Ok(requests) => {
            println!("{requests} requests done");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{}: {error}", options.addr);
            ExitCode::from(2)
        }
    }
}

async fn drive(options: &Options) -> io::Result<u64> {
    let mut visitors = JoinSet::new();
    for lane in 0..options.concurrency {
        visitors.spawn(visit_again_and_again(options.clone(), lane));
    }
    let mut requests = 0;
    while let Some(done) = visitors.join_next().await {
        requests += done??;
    }
    Ok(requests)
}

async fn visit_again_and_again(options: Options, lane: u64) -> io::Result<u64> {
    let mut shop = Connection::open(&options).await?;
    for round in 0..options.rounds {
        shop.visit(lane * options.rounds + round).await?;
    }
    Ok(shop.requests)
}

/// A kept-alive HTTP/1.1 connection.
struct Connection {
    stream: BufReader<TcpStream>,
    think: Duration,
    requests: u64,
}

impl Connection {
    async fn open(options: &Options) -> io::Result<Self> {
        let stream = TcpStream::connect(options.addr).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), think: options.think, requests: 0 })
    }

    async fn visit(&mut self, number: u64) -> io::Result<()> {
        let session = self.request("POST", &format!("/login?user=visitor{number}"), "").await?;
        self.request("GET", "/browse", &session).await?;
        for product in [number % 4, (number + 1) % 4] {
            self.request("POST", &format!("/cart?product={product}"), &session).await?;
        }
        self.request("POST", "/checkout", &session).await?;
        if number.is_multiple_of(4) {
            self.request("POST", "/logout", &session).await?;
        }
        Ok(())
    }

    /// Sends a request and returns the answer's body.
    async fn request(&mut self, method: &str, path: &str, session: &str) -> io::Result<String> {
        time::sleep(self.think).await;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: shop\r\ncookie: session={session}\r\n\
             content-length: 0\r\n\r\n"
        );
        self.stream.get_mut().write_all(head.as_bytes()).await?;
        self.requests += 1;
        let status = self.line().await?;
        let mut length = 0;
        loop {
            let line = self.line().await?;
            match line.split_once(": ") {
                Some(("content-length", value)) => length = value.parse().map_err(invalid)?,
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        match status.contains(" 200 ") {
            true => String::from_utf8(body).map_err(invalid),
            false => Err(io::Error::other(format!("{method} {path} was answered {status}"))),
        }
    }

    async fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line).await? {
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the shop hung up")),
            _ => Ok(line.trim_end().to_owned()),
        }
    }
}

fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
