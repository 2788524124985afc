//! A recording as the program holds it, and how one starts.

#![forbid(unsafe_code)]

use std::sync::mpsc;

use super::children;
use super::config::{Builder, OnTermination};
use super::error::Error;
use super::lifecycle::{self, Claim, LIFECYCLE};
use super::request::{self, Handle, Request};
use super::session::{Baseline, Session};
use super::termination;
use super::thread;
use crate::globals::{self, STATE};
use crate::mode;
use crate::shared::state::{MAX_GENERATION, Phase};
use crate::sys::{self, ProcessCopy};
use crate::thread::block::InternalGuard;

/// A recording that runs. Dropping it finishes it.
#[derive(Debug)]
pub struct Recorder {
    handle: Handle,
    finished: bool,
}

impl Recorder {
    /// Starts with the defaults: exact, no interval, no signal, into the current directory.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Takes a snapshot now and returns its sequence number when it is in the file.
    ///
    /// # Errors
    /// [`Error::Write`] if it could not be written, [`Error::Ended`] if the recording ended, or
    /// runs in the process that this one was forked from.
    pub fn snapshot(&self) -> Result<u64, Error> {
        self.handle.ask(Request::Snapshot)
    }

    /// Takes the last snapshot and returns when everything is on disk.
    ///
    /// # Errors
    /// As [`Recorder::snapshot`].
    pub fn finish(mut self) -> Result<(), Error> {
        self.finished = true;
        self.handle.ask(Request::Finish).map(drop)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if !self.finished {
            // Whoever wants to know about failure calls `finish`.
            let _ = self.handle.ask(Request::Finish);
        }
    }
}

impl Builder {
    /// Starts recording.
    ///
    /// If `HEAPTIDE_OUT` started a recording before `main`, that one goes on, with its own output
    /// and interval, and is what this returns: a program that records itself can be run under
    /// `heaptide run` as it is.
    ///
    /// # Errors
    /// [`Error::AlreadyRecording`], [`Error::NotInstalled`] without the `#[global_allocator]`
    /// line, [`Error::Off`] under `HEAPTIDE_MODE=off`, [`Error::Output`] for a path that cannot be
    /// written, [`Error::Config`] for a signal that cannot be handled or a `HEAPTIDE_MODE` or
    /// `HEAPTIDE_MEMORY` that makes no sense, [`Error::Resources`] when
    /// the system has no memory, thread or descriptor left.
    pub fn start(self) -> Result<Recorder, Error> {
        start(&self, Asker::Code).map(|handle| Recorder { handle, finished: false })
    }
}

/// Who asked for a recording, and so who learns that it cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    /// Code, which waits for the answer.
    Code,
    /// The environment, before `main`: nothing waits, and standard error gets a line.
    Environment,
}

/// Starts a recording, or takes over the one that the environment started, if nobody has.
pub(super) fn start(builder: &Builder, asker: Asker) -> Result<Handle, Error> {
    let _internal = InternalGuard::enter();
    match mode::phase_after_an_allocation() {
        Phase::Undecided => return Err(Error::NotInstalled),
        Phase::Off => {
            return Err(mode::complaint_about_mode().map_or(Error::Off, Error::Config));
        }
        Phase::Armed | Phase::Recording | Phase::SampledArmed | Phase::Sampling => {}
    }
    let Some(claim) = LIFECYCLE.claim() else {
        return take_over(builder).ok_or(Error::AlreadyRecording);
    };
    let handle = start_alone(builder, claim, asker)?;
    if let Err(err) = handle_signals(builder) {
        // What has begun is ended; that it could not go on is what the caller must know.
        let _ = handle.ask(Request::Finish);
        return Err(err);
    }
    Ok(handle)
}

fn take_over(builder: &Builder) -> Option<Handle> {
    let handle = LIFECYCLE.take_over()?;
    let output = builder.output.as_os_str().as_encoded_bytes();
    sys::complain(&[b"heaptide: recording as HEAPTIDE_OUT says, not to ", output]);
    Some(handle)
}

/// Counts from here on; the thread that it starts opens the output, since a write may raise a signal
/// or wait, which is nothing for a thread of the program's.
fn start_alone(builder: &Builder, claim: Claim, asker: Asker) -> Result<Handle, Error> {
    lifecycle::watch_process();
    let generation = claim.generation();
    if generation > MAX_GENERATION {
        return Err(Error::Config(format!(
            "this process has made {MAX_GENERATION} recordings; no more can be told apart"
        )));
    }
    let no_memory = || Error::Resources(std::io::ErrorKind::OutOfMemory.into());
    match mode::asked_memory() {
        // The first allocation took it from there.
        Ok(Some(_)) => {}
        Ok(None) => globals::BUDGET.set_limit(builder.memory_bytes),
        Err(_) => {
            return Err(Error::Config(mode::complaint_about_memory().unwrap_or_default()));
        }
    }
    let tables = globals::prepare(builder.unwinder, builder.frames).ok_or_else(no_memory)?;
    let builder = builder.clone().absolute()?;
    children::follow(&builder, start_in_child);
    let (requests, inbox) = mpsc::channel();
    let (opened, is_open) = request::answer();
    // Before the thread: it may be asked to end at once.
    sys::listen();
    let handle = Handle { requests, process: ProcessCopy::this() };
    claim.begin();
    let before = Baseline::now();
    STATE.begin(generation);
    let spawned = sys::with_all_signals_blocked(|| {
        let open = move || Session::open(&builder, tables, generation, before);
        let answer = (asker == Asker::Code).then_some(opened);
        sys::start_thread(c"heaptide", move || thread::run(open, answer, &inbox))
    });
    if let Err(err) = spawned {
        sys::listen_no_more();
        lifecycle::ended();
        return Err(Error::Resources(err));
    }
    match asker {
        Asker::Code => request::wait_for(&is_open)?,
        Asker::Environment => {}
    }
    Ok(handle)
}

/// Goes on recording in a forked child, where no other thread can be in the way.
fn start_in_child(builder: &Builder) {
    match start(builder, Asker::Environment) {
        Ok(handle) => LIFECYCLE.leave_unclaimed(handle),
        Err(err) => sys::complain(&[b"heaptide: not recording: ", err.to_string().as_bytes()]),
    }
}

fn handle_signals(builder: &Builder) -> Result<(), Error> {
    let cannot =
        |signal: i32| move |err| Error::Config(format!("signal {signal} cannot be handled: {err}"));
    if let Some(signal) = builder.signal {
        sys::handle_signal(signal, sys::OnSignal::Snapshot).map_err(cannot(signal))?;
    }
    if builder.on_termination == OnTermination::Finish {
        termination::bound_termination().map_err(Error::Resources)?;
        for signal in [libc::SIGTERM, libc::SIGINT] {
            sys::handle_signal(signal, sys::OnSignal::Finish).map_err(cannot(signal))?;
        }
    }
    Ok(())
}
