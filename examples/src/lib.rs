//! What the services have in common: where they listen, when they stop, how a visitor is known.

#![forbid(unsafe_code)]

use std::{fs, io, net::Ipv4Addr, path::PathBuf, time::Duration};

use axum::http::{HeaderMap, StatusCode, header::COOKIE};
use clap::Args;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

/// Where a service listens, and whom it tells.
#[derive(Args, Debug)]
pub struct Listen {
    /// Port on 127.0.0.1; 0 lets the system choose one
    #[arg(long, env, default_value_t = 3000)]
    port: u16,
    /// Write the address here once connections are accepted
    #[arg(long, value_name = "FILE")]
    addr_file: Option<PathBuf>,
}

impl Listen {
    /// Starts to listen and announces the address.
    ///
    /// # Errors
    /// The port is taken, or the address file cannot be written.
    pub async fn bind(&self) -> io::Result<TcpListener> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await?;
        let addr = listener.local_addr()?;
        if let Some(file) = &self.addr_file {
            // Renamed into place: whoever sees the file sees all of it.
            let partial = file.with_extension("partial");
            fs::write(&partial, addr.to_string())?;
            fs::rename(&partial, file)?;
        }
        println!("listening on http://{addr}");
        Ok(listener)
    }
}

/// Returns when the process is asked to stop, by SIGTERM or Ctrl-C.
pub async fn asked_to_stop() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

/// The id in the cookie `session`.
///
/// # Errors
/// [`StatusCode::UNAUTHORIZED`] if there is none.
pub fn session_id(headers: &HeaderMap) -> Result<u64, StatusCode> {
    let cookie = headers.get(COOKIE).and_then(|value| value.to_str().ok());
    let id = cookie.and_then(|text| text.strip_prefix("session=")?.parse().ok());
    id.ok_or(StatusCode::UNAUTHORIZED)
}

/// Reads `250ms`, `2s` or `5m`.
///
/// # Errors
/// A sentence that says how a duration is written.
pub fn duration(text: &str) -> Result<Duration, String> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number = text.strip_suffix(unit).and_then(|digits| digits.parse::<u64>().ok());
    let unit_ms = match unit {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        _ => None,
    };
    let ms = number.zip(unit_ms).and_then(|(number, unit_ms)| number.checked_mul(unit_ms));
    ms.map(Duration::from_millis).ok_or_else(|| "write it as 250ms, 2s or 5m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_whole_number_and_a_unit() {
        let ms = |text| duration(text).map(|it| it.as_millis()).ok();
        let read = ["250ms", "2s", "5m", "2", "s", "1.5s", "2 s", "", "99999999999999999999s"];
        let expected = [Some(250), Some(2_000), Some(300_000), None, None, None, None, None, None];
        assert_eq!(read.map(ms), expected);
    }
}
