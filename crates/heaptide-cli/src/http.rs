//! One HTTP/1.1 connection that is kept open: enough to ask the shop, and to ask whether a
//! service is ready.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream, Take};
use tokio::net::{TcpStream, ToSocketAddrs};

use crate::limits::{MOST_HTTP_BODY_BYTES, MOST_HTTP_HEADER_BYTES};

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

    /// Sends JSON, and gives the status code of the answer alone; this connection cannot be asked again.
    pub(crate) async fn post(mut self, host: &str, target: &str, body: &str) -> io::Result<u16> {
        let head = format!(
            "POST {target} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        self.stream.write_all(head.as_bytes()).await?;
        self.stream.write_all(body.as_bytes()).await?;
        self.stream.flush().await?;
        Ok(self.header().await?.status)
    }

    /// Sends a request without a body and reads the answer.
    pub(crate) async fn ask(&mut self, method: &str, target: &str) -> io::Result<Answer> {
        self.send(method, target).await?;
        let Header { status, body_bytes } = self.header().await?;
        let mut body = vec![0; body_bytes?];
        self.stream.read_exact(&mut body).await?;
        Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
    }

    /// The status code of the answer alone: its body, of whatever length, is not read, so this
    /// connection cannot be asked again.
    pub(crate) async fn status(mut self, method: &str, target: &str) -> io::Result<u16> {
        self.send(method, target).await?;
        Ok(self.header().await?.status)
    }

    async fn send(&mut self, method: &str, target: &str) -> io::Result<()> {
        let request =
            format!("{method} {target} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n");
        self.stream.write_all(request.as_bytes()).await?;
        self.stream.flush().await
    }

    async fn header(&mut self) -> io::Result<Header> {
        let mut lines = (&mut self.stream).take(MOST_HTTP_HEADER_BYTES);
        let status = status_of(&line(&mut lines).await?)?;
        let mut body_bytes = Ok(0);
        loop {
            let line = line(&mut lines).await?;
            if line.is_empty() {
                return Ok(Header { status, body_bytes });
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                let said = value.trim().parse().ok().filter(|&bytes| bytes <= MOST_HTTP_BODY_BYTES);
                body_bytes = said.ok_or_else(|| unexpected(&line));
            }
        }
    }
}

/// What stands before the body.
struct Header {
    status: u16,
    /// Its length, unless that is no number or more than we read.
    body_bytes: io::Result<usize>,
}

/// A line without its end; what comes need not be text.
async fn line(lines: &mut Take<&mut BufStream<TcpStream>>) -> io::Result<String> {
    let mut line = Vec::new();
    lines.read_until(b'\n', &mut line).await?;
    if line.last() != Some(&b'\n') {
        return Err(match lines.limit() {
            0 => {
                let cause = format!("its header is longer than {MOST_HTTP_HEADER_BYTES} bytes");
                io::Error::new(io::ErrorKind::InvalidData, cause)
            }
            _ => {
                let cause = "the answer ended before its header was complete";
                io::Error::new(io::ErrorKind::UnexpectedEof, cause)
            }
        });
    }
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
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

    /// What a service answers, and what is read of it.
    #[test]
    fn an_answer_is_read_as_far_as_it_says() -> io::Result<()> {
        use std::io::{Read, Write};

        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let check = |answer: &'static [u8], expected: Result<(u16, &str), &str>| {
            let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
            let address = listener.local_addr()?;
            let server = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept()?;
                let n = stream.read(&mut [0; 1024])?;
                stream.write_all(answer).map(|()| n)
            });
            let found =
                runtime.block_on(async { Client::connect(address).await?.ask("GET", "/").await });
            let found = found.map(|it| (it.status, it.body)).map_err(|cause| cause.to_string());
            assert!(server.join().is_ok_and(|n| n.is_ok_and(|n| n > 0)), "nothing was asked");
            match (&found, expected) {
                (Ok((status, body)), Ok(expected)) => assert_eq!((*status, &body[..]), expected),
                (Err(said), Err(says)) => assert!(said.contains(says), "{said}"),
                _ => panic!("{found:?} instead of {expected:?}"),
            }
            Ok::<(), io::Error>(())
        };
        check(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", Ok((200, "hello")))?;
        check(b"HTTP/1.1 401 No\r\n\r\nrest", Ok((401, "")))?;
        check(b"HTTP/1.0 200 OK\nx: \xff\ncontent-length: 2\n\n\xff!", Ok((200, "\u{fffd}!")))?;
        check(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello", Err("eof"))?;
        check(b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", Err("content-length: -1"))?;
        check(b"HTTP/1.1 200 OK\r\ncontent-length: 1048577\r\n\r\n", Err("1048577"))?;
        check(b"HTTP/2 200\r\n\r\n", Err("not an HTTP/1.1 answer: \"HTTP/2 200\""))?;
        check(b"", Err("before its header was complete"))
    }
}
