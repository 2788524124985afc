//! How the program's threads ask the recorder thread.

#![forbid(unsafe_code)]

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use super::error::Error;
use crate::sys::{self, ProcessCopy};
use crate::thread::block::InternalGuard;

/// What the program asks for, and where the answer goes.
#[derive(Debug)]
pub(crate) enum Request {
    /// A snapshot; its sequence number.
    Snapshot(Answer<u64>),
    /// The end; the last sequence number.
    Finish(Answer<u64>),
}

/// Where one answer goes. The room for it is made by whoever asks: the recorder's thread, which may
/// answer when the recording is over, needs none.
pub(crate) type Answer<T> = mpsc::SyncSender<Result<T, Error>>;

/// A place for one answer.
pub(crate) fn answer<T>() -> (Answer<T>, mpsc::Receiver<Result<T, Error>>) {
    mpsc::sync_channel(1)
}

/// How long an answer is waited for at most. A snapshot takes a second at worst; a disk that hangs
/// may take for ever.
const ANSWER_PATIENCE: Duration = Duration::from_secs(60);

/// How to reach the recorder thread.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(super) requests: mpsc::Sender<Request>,
    /// Whose recorder it is: a copy of the process has the channel, and nobody at its other end.
    pub(super) process: ProcessCopy,
}

impl Handle {
    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// [`Error::Ended`] if nobody answers, or in a process that was forked from the one that records;
    /// [`Error::Write`] if the disk keeps the recorder waiting for a minute.
    pub(super) fn ask<T>(&self, request: impl FnOnce(Answer<T>) -> Request) -> Result<T, Error> {
        if self.process != ProcessCopy::this() {
            return Err(Error::Ended);
        }
        let _internal = InternalGuard::enter();
        let (reply, answer) = answer();
        self.requests.send(request(reply)).map_err(|_| Error::Ended)?;
        sys::wake(sys::Want::Answer);
        wait_for(&answer)
    }
}

/// Waits for the recorder's answer, but not for ever: it may itself be waiting for the disk, or for
/// memory.
///
/// # Errors
/// That of the answer; [`Error::Ended`] if nobody will answer; [`Error::Write`] after a minute.
pub(super) fn wait_for<T>(answer: &mpsc::Receiver<Result<T, Error>>) -> Result<T, Error> {
    match answer.recv_timeout(ANSWER_PATIENCE) {
        Ok(answer) => answer,
        Err(RecvTimeoutError::Disconnected) => Err(Error::Ended),
        Err(RecvTimeoutError::Timeout) => Err(Error::Write(io::ErrorKind::TimedOut.into())),
    }
}
