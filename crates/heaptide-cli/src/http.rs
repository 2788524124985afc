//! One HTTP/1.1 connection that is kept open: enough to ask the shop, and to ask whether a
//! service is ready.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::{TcpStream, ToSocketAddrs};

const MOST_HEADER_LINES: usize = 100;
const MOST_BODY_BYTES: usize = 1 << 20;

/// An open connection.
#[derive(Debug)]
pub(crate) struct Client {
    stream: BufStream<TcpStream>,
}

/// Status code and body of an answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Client {
    /// Connects.
    pub(crate) async fn connect(address: impl ToSocketAddrs) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufStream::new(stream) })
    }

    /// Sends a request without a body and reads the answer.
    pub(crate) async fn ask(&mut self, method: &str, target: &str) -> io::Result<Answer> {
        let request =
            format!("{method} {target} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n");
        self.stream.write_all(request.as_bytes()).await?;
        self.stream.flush().await?;
        let status = status_of(&self.line().await?)?;
        let length = self.body_length().await?;
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
    }

    /// Reads the header and returns the length of the body.
    async fn body_length(&mut self) -> io::Result<usize> {
        let mut length = 0;
        for _ in 0..MOST_HEADER_LINES {
            let line = self.line().await?;
            if line.is_empty() {
                return Ok(length);
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                let said = value.trim().parse().ok().filter(|&bytes| bytes <= MOST_BODY_BYTES);
                length = said.ok_or_else(|| unexpected(&line))?;
            }
        }
        Err(unexpected("an endless header"))
    }

    async fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }
}

fn status_of(line: &str) -> io::Result<u16> {
    let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1));
    status.and_then(|status| status.parse().ok()).ok_or_else(|| unexpected(line))
}

fn unexpected(line: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not an HTTP/1.1 answer: {line:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_status_line_has_a_status() {
        assert_eq!(status_of("HTTP/1.1 204 No Content").ok(), Some(204));
        assert_eq!(status_of("HTTP/1.0 200").ok(), Some(200));
        assert!(status_of("SSH-2.0-x").is_err());
        assert!(status_of("HTTP/1.1 OK").is_err());
    }
}
