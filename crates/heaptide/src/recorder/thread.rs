//! The recorder thread: waits for the clock, a signal or a request, and takes snapshots.

#![forbid(unsafe_code)]

use std::sync::mpsc::Receiver;
use std::time::Duration;

use heaptide_format::Reason;

use super::error::Error;
use super::lifecycle;
use super::request::Request;
use super::session::Session;
use crate::sys::{self, Call, Waker};
use crate::thread::block::InternalGuard;

/// Runs until the recording is finished.
pub(crate) fn run(mut session: Session, waker: &Waker, inbox: &Receiver<Request>) {
    let _internal = InternalGuard::enter();
    let ending = Ending;
    let mut clock = Clock::new(session.interval());
    loop {
        let mut calls = Vec::new();
        waker.wait(clock.wait_ms(), |call| calls.push(call));
        // After SIGTERM only the last snapshot may show a program that is taking itself apart.
        if clock.is_due() && !calls.iter().any(|call| matches!(call, Call::Terminate | Call::Exit))
        {
            session.take(Reason::Interval).unwrap_or_else(|err| complain(&err));
        }
        if calls.contains(&Call::Signal) {
            session.take(Reason::Signal).unwrap_or_else(|err| complain(&err));
        }
        while let Ok(request) = inbox.try_recv() {
            match request {
                Request::Snapshot(reply) => drop(reply.send(session.take_numbered(Reason::Call))),
                Request::Finish(reply) => {
                    let last = session.finish();
                    // The file first: whoever gets the answer may record to the same path.
                    drop(session);
                    drop(ending);
                    drop(reply.send(last));
                    return end_if_asked();
                }
            }
        }
        if calls.iter().any(|call| matches!(call, Call::Terminate | Call::Exit)) {
            session.finish().map_or_else(|err| complain(&err), drop);
            drop(session);
            drop(ending);
            return end_if_asked();
        }
    }
}

/// A signal that asked for the end, maybe just now, takes its course after the last snapshot.
fn end_if_asked() {
    if let Some(signal) = sys::terminated_by() {
        sys::die_of(signal);
    }
}

/// However the thread ends, even by a panic: the hook stops counting, and nobody waits for it.
struct Ending;

impl Drop for Ending {
    fn drop(&mut self) {
        sys::listen_no_more();
        lifecycle::ended();
    }
}

fn complain(err: &Error) {
    sys::complain(&[b"heaptide: ", err.to_string().as_bytes()]);
}

/// When the next snapshot is due. Late ones are skipped, not caught up with.
#[derive(Debug)]
struct Clock {
    interval_ns: u64,
    next_ns: u64,
}

impl Clock {
    fn new(interval: Duration) -> Self {
        let interval_ns = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
        Self { interval_ns, next_ns: sys::monotonic_ns().saturating_add(interval_ns) }
    }

    fn wait_ms(&self) -> i32 {
        if self.interval_ns == 0 {
            return -1;
        }
        let left_ns = self.next_ns.saturating_sub(sys::monotonic_ns());
        i32::try_from(left_ns.div_ceil(1_000_000)).unwrap_or(i32::MAX)
    }

    fn is_due(&mut self) -> bool {
        let now = sys::monotonic_ns();
        if self.interval_ns == 0 || now < self.next_ns {
            return false;
        }
        let missed = (now - self.next_ns) / self.interval_ns;
        self.next_ns += (missed + 1) * self.interval_ns;
        true
    }
}
