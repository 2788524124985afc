//! Recordings without code: what the environment asks for.
//!
//! A value that makes no sense gets one line on standard error, and the program goes on
//! unrecorded; it is never harmed by its environment.

#![forbid(unsafe_code)]

use std::time::Duration;

use heaptide_format::MAX_FRAMES;

use super::config::Builder;
use super::handle::{self, Asker};
use super::lifecycle::LIFECYCLE;
use super::request::Handle;
use super::signal_names::parse_signal;
use super::threshold;
use crate::mode::{ProcessMode, asked, complaint_about_mode};
use crate::sys;
use crate::thread::block::InternalGuard;

const KNOWN: [&str; 10] = [
    "HEAPTIDE_CHILDREN",
    "HEAPTIDE_FINISH_ON_TERM",
    "HEAPTIDE_FRAMES",
    "HEAPTIDE_INTERVAL",
    "HEAPTIDE_MEMORY",
    "HEAPTIDE_MODE",
    "HEAPTIDE_NAMES",
    "HEAPTIDE_OUT",
    "HEAPTIDE_SIGNAL",
    "HEAPTIDE_THRESHOLD",
];

/// Called before `main`.
pub(crate) extern "C" fn start_if_asked() {
    if sys::environment(c"HEAPTIDE_OUT").is_none() {
        if asked().is_err() {
            let _internal = InternalGuard::enter();
            let why = complaint_about_mode().unwrap_or_default();
            sys::complain(&[b"heaptide: off: ", why.as_bytes()]);
        }
        return;
    }
    match start() {
        Ok(Some(handle)) => LIFECYCLE.leave_unclaimed(handle),
        Ok(None) => {}
        Err(why) => sys::complain(&[b"heaptide: not recording: ", why.as_bytes()]),
    }
}

fn start() -> Result<Option<Handle>, String> {
    let _internal = InternalGuard::enter();
    for name in std::env::vars_os().map(|(name, _)| name) {
        let name = name.to_string_lossy();
        if name.starts_with("HEAPTIDE_") && !KNOWN.contains(&&*name) {
            sys::complain(&[b"heaptide: unknown variable ", name.as_bytes()]);
        }
    }
    if let Some(complaint) = complaint_about_mode() {
        return Err(complaint);
    }
    if asked() == Ok(Some(ProcessMode::Off)) {
        return Ok(None);
    }
    let builder = configure(Builder::default())?;
    handle::start(&builder, Asker::Environment).map(Some).map_err(|err| err.to_string())
}

fn configure(mut builder: Builder) -> Result<Builder, String> {
    if let Some(out) = std::env::var_os("HEAPTIDE_OUT") {
        if out.is_empty() {
            return Err("HEAPTIDE_OUT is empty; give a file or a directory".to_owned());
        }
        builder = builder.output(out);
    }
    if let Some(text) = var("HEAPTIDE_INTERVAL")? {
        let interval = parse_interval(&text).ok_or_else(|| {
            format!("HEAPTIDE_INTERVAL={text} is not a time such as 500ms, 5s or 2m")
        })?;
        builder = builder.interval(interval);
    }
    if let Some(text) = var("HEAPTIDE_SIGNAL")? {
        let signal = parse_signal(&text)
            .ok_or_else(|| format!("HEAPTIDE_SIGNAL={text} is not a signal such as USR2"))?;
        builder = builder.signal(signal);
    }
    if let Some(text) = var("HEAPTIDE_THRESHOLD")? {
        let marks = threshold::parse(&text).ok_or_else(|| {
            format!("HEAPTIDE_THRESHOLD={text} is not a list such as 50%,80%,512MiB, nor off")
        })?;
        builder = builder.thresholds(marks);
    }
    if let Some(text) = var("HEAPTIDE_FRAMES")? {
        let frames = text.parse().ok().filter(|frames| (1..=MAX_FRAMES as u32).contains(frames));
        let wrong =
            || format!("HEAPTIDE_FRAMES={text} is not a number of frames from 1 to {MAX_FRAMES}");
        builder = builder.frames(frames.ok_or_else(wrong)?);
    }
    match var("HEAPTIDE_CHILDREN")?.as_deref() {
        None | Some("on") => builder = builder.record_children(),
        Some("off") => {}
        Some(other) => return Err(format!("HEAPTIDE_CHILDREN={other} is not on or off")),
    }
    if flag("HEAPTIDE_FINISH_ON_TERM")? {
        builder = builder.finish_on_termination();
    }
    if flag("HEAPTIDE_NAMES")? {
        builder = with_names(builder);
    }
    Ok(builder)
}

#[cfg(feature = "names")]
fn with_names(builder: Builder) -> Builder {
    builder.names_in_process()
}

#[cfg(not(feature = "names"))]
fn with_names(builder: Builder) -> Builder {
    sys::complain(&[
        b"heaptide: HEAPTIDE_NAMES=1 needs the feature `names` (cargo add heaptide --features names); ",
        b"recording without names",
    ]);
    builder
}

fn var(name: &str) -> Result<Option<String>, String> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(format!("{name} is not UTF-8")),
    }
}

fn flag(name: &str) -> Result<bool, String> {
    match var(name)?.as_deref() {
        None | Some("" | "0") => Ok(false),
        Some("1") => Ok(true),
        Some(other) => Err(format!("{name}={other} is not 0 or 1")),
    }
}

fn parse_interval(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: f64 = digits.parse().ok()?;
    let unit = match &text[digits.len()..] {
        "ms" => 1e-3,
        "s" | "" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number * unit).ok()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn intervals() {
        let check = |text: &str, ms: Option<u64>| {
            assert_eq!(parse_interval(text), ms.map(Duration::from_millis), "{text}");
        };
        check("5s", Some(5000));
        check("500ms", Some(500));
        check("0.5s", Some(500));
        check("2m", Some(120_000));
        check("0", Some(0));
        check("soon", None);
        check("-1s", None);
        check("5d", None);
        check("", None);
    }
}
