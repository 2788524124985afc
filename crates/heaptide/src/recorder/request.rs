//! How the program's threads ask the recorder thread.

#![forbid(unsafe_code)]

use std::sync::mpsc;

use super::error::Error;
use crate::sys;
use crate::thread::block::InternalGuard;

/// What the program asks for, and where the answer goes.
#[derive(Debug)]
pub(crate) enum Request {
    /// A snapshot; its sequence number.
    Snapshot(mpsc::Sender<Result<u64, Error>>),
    /// The end; the last sequence number.
    Finish(mpsc::Sender<Result<u64, Error>>),
}

/// How to reach the recorder thread.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) pid: u32,
}

impl Handle {
    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// [`Error::Ended`] if nobody answers, or in a process that was forked from the one that records.
    pub(super) fn ask<T>(
        &self,
        request: impl FnOnce(mpsc::Sender<Result<T, Error>>) -> Request,
    ) -> Result<T, Error> {
        if self.pid != sys::process_id() {
            return Err(Error::Ended);
        }
        let _internal = InternalGuard::enter();
        let (reply, answer) = mpsc::channel();
        self.requests.send(request(reply)).map_err(|_| Error::Ended)?;
        sys::wake(sys::Call::Request);
        answer.recv().map_err(|_| Error::Ended)?
    }
}
