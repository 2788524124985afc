//! The recorder thread: waits for the clock, a signal or a request, and takes snapshots.

#![forbid(unsafe_code)]

use std::sync::mpsc::Receiver;
use std::time::Duration;

use heaptide_format::Reason;

use super::children;
use super::complaints::Complaints;
use super::error::Error;
use super::lifecycle;
use super::request::{Answer, Request};
use super::session::Session;
use crate::sys::{self, Want};
use crate::thread::block::InternalGuard;

/// Opens the output and runs until the recording is finished.
///
/// `answer` takes what came of the opening; without one, a failure gets a line on standard error.
pub(crate) fn run(
    open: impl FnOnce() -> Result<Session, Error>,
    answer: Option<Answer<()>>,
    inbox: &Receiver<Request>,
) {
    let _internal = InternalGuard::enter_recorder_thread();
    let ending = Ending;
    if sys::leave_descriptors_of_process() {
        sys::complain_for_process();
    }
    match (open(), answer) {
        (Ok(session), answer) => {
            // Whoever asked may have given up.
            answer.map(|answer| answer.send(Ok(())).ok());
            serve(session, inbox, ending);
        }
        (Err(err), Some(answer)) => {
            // The recording is over before its failure is known: the next may begin.
            drop(ending);
            let _ = answer.send(Err(err));
        }
        // A child that ended before it was worth a file.
        (Err(Error::Ended), None) => {}
        (Err(err), None) => {
            sys::complain(&[b"heaptide: not recording: ", err.to_string().as_bytes()])
        }
    }
    end_if_asked();
}

/// What is wanted is looked at each time round, the end first: after a terminating signal only the
/// last snapshot may show a program that is taking itself apart, and nothing may delay it.
fn serve(mut session: Session, inbox: &Receiver<Request>, ending: Ending) {
    let mut clock = Clock::new(session.interval());
    let mut complaints = Complaints::default();
    let mut complain = |err: Error| complaints.say(&err, sys::monotonic_ns());
    loop {
        let patience = [clock.left(), session.thresholds().look_after()];
        let patience = patience.into_iter().flatten().min();
        let wanted = children::at_rest(|| sys::wait(patience));
        if wanted.has(Want::Terminate) || wanted.has(Want::Exit) {
            session.finish().map_or_else(&mut complain, drop);
            // The file first: the process goes on to its end when the recording is over.
            drop(session);
            drop(ending);
            return;
        }
        if clock.is_due() {
            session.take(Reason::Interval).unwrap_or_else(&mut complain);
        }
        if session.thresholds().is_passed() {
            session.take(Reason::Threshold).unwrap_or_else(&mut complain);
        }
        if wanted.has(Want::Snapshot) {
            session.take(Reason::Signal).unwrap_or_else(&mut complain);
        }
        if let Some(reply) = answer_requests(&mut session, inbox) {
            let last = session.finish();
            // The file first: whoever gets the answer may record to the same path.
            drop(session);
            drop(ending);
            drop(reply.send(last));
            return;
        }
    }
}

/// Takes the snapshots that were asked for, and returns where the last one is to be told, if the end
/// was asked for.
fn answer_requests(session: &mut Session, inbox: &Receiver<Request>) -> Option<Answer<u64>> {
    while let Ok(request) = inbox.try_recv() {
        match request {
            Request::Snapshot(reply) => drop(reply.send(session.take_numbered(Reason::Call))),
            Request::Finish(reply) => return Some(reply),
        }
    }
    None
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

    /// Until the next snapshot; `None` without an interval.
    fn left(&self) -> Option<Duration> {
        let left_ns = self.next_ns.saturating_sub(sys::monotonic_ns());
        (self.interval_ns != 0).then_some(Duration::from_nanos(left_ns))
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
