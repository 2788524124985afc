//! Recordings: started from code or from the environment, written by a thread of their own.
//!
//! The thread that records does everything slow: sums the counters, reads `/proc`, writes lines.
//! The hook never waits for it and it never waits for the hook. What it allocates itself is not
//! the program's and is not counted.

#![forbid(unsafe_code)]

mod collect;
mod decimate;
pub(crate) mod environment;
mod error;
mod file;
mod names;
mod process;
mod session;
mod sums;
mod thread;

use std::path::PathBuf;
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use once_cell::sync::OnceCell;

pub use error::Error;
pub use heaptide_format::Mode;

use crate::globals::{self, STATE, Unwinder};
use crate::mode;
use crate::shared::state::{MAX_GENERATION, Phase};
use crate::sync::Ordering::{AcqRel, Acquire, Relaxed, Release};
use crate::sync::{AtomicBool, AtomicU32};
use crate::sys;
use crate::thread::block::{self, InternalGuard};
use crate::thread::sampler;
use session::Session;
use thread::Request;

/// The process whose recording runs; 0 if none does.
static ACTIVE: AtomicU32 = AtomicU32::new(0);
/// Held from before a recording starts until after it ended.
static TAKEN: AtomicBool = AtomicBool::new(false);
static GENERATION: AtomicU32 = AtomicU32::new(0);
/// The recording that runs was started by the environment, and no code has asked for one yet.
static UNCLAIMED: AtomicBool = AtomicBool::new(false);
/// Where such a recording waits to be asked for.
static FROM_ENVIRONMENT: Mutex<Option<Recorder>> = Mutex::new(None);

/// How to reach the recorder thread.
#[derive(Debug)]
struct Handle {
    requests: mpsc::Sender<Request>,
    pid: u32,
}

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

impl Handle {
    fn ask<T>(
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

/// What to record and where; see [`Recorder::builder`].
#[derive(Clone, Debug)]
pub struct Builder {
    output: PathBuf,
    interval: Duration,
    signal: Option<i32>,
    on_termination: OnTermination,
    names: Names,
    segment_bytes: u64,
    total_bytes: u64,
    unwinder: Unwinder,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnTermination {
    LeaveAlone,
    Finish,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names {
    ByReader,
    InProcess,
}

impl Default for Builder {
    fn default() -> Self {
        let walks = crate::unwind::IS_KNOWN;
        Self {
            output: PathBuf::from("."),
            interval: Duration::ZERO,
            signal: None,
            on_termination: OnTermination::LeaveAlone,
            names: Names::ByReader,
            segment_bytes: 64 << 20,
            total_bytes: 1 << 30,
            unwinder: if walks { Unwinder::EhFrame } else { Unwinder::Backtrace },
        }
    }
}

impl Builder {
    /// A file, or a directory: then `EXE.PID.jsonl` inside it. Missing directories are made; a
    /// file that exists is kept, renamed to `NAME.1`, `NAME.2` and so on.
    pub fn output(mut self, path: impl Into<PathBuf>) -> Self {
        self.output = path.into();
        self
    }

    /// Takes a snapshot every so often, at most every millisecond; zero (the default) means never.
    pub fn interval(mut self, interval: Duration) -> Self {
        let least = if interval.is_zero() { Duration::ZERO } else { Duration::from_millis(1) };
        self.interval = interval.max(least);
        self
    }

    /// Takes a snapshot when this signal arrives. Whoever handled it before is still called.
    pub fn signal(mut self, signal: i32) -> Self {
        self.signal = Some(signal);
        self
    }

    /// On SIGTERM and SIGINT, finishes the recording and then lets the signal end the process;
    /// not for a signal that the program handles itself.
    pub fn finish_on_termination(mut self) -> Self {
        self.on_termination = OnTermination::Finish;
        self
    }

    /// Writes names of functions into the recording when it finishes, for readers that have only
    /// the file. The first look-up costs tens of megabytes and a tenth of a second or more.
    pub fn names_in_process(mut self) -> Self {
        self.names = Names::InProcess;
        self
    }

    /// Takes stacks with the `backtrace` crate, as on machines whose stacks we cannot walk:
    /// for comparison; about a hundred times slower.
    pub fn unwind_with_backtrace(mut self) -> Self {
        self.unwinder = Unwinder::Backtrace;
        self
    }

    /// Begins a new segment file when one has this many bytes (default 64 MiB).
    pub fn segment_bytes(mut self, bytes: u64) -> Self {
        self.segment_bytes = bytes;
        self
    }

    /// Keeps all segments together under this many bytes (default 1 GiB) by dropping every second
    /// of the older snapshots; what was dropped is counted.
    pub fn total_bytes(mut self, bytes: u64) -> Self {
        self.total_bytes = bytes;
        self
    }

    /// Starts recording.
    ///
    /// If `HEAPTIDE_OUT` started a recording before `main`, that one goes on, with its own output
    /// and interval, and is what this returns: a program that records itself can be run under
    /// `heaptide run` as it is.
    ///
    /// # Errors
    /// [`Error::AlreadyRecording`], [`Error::NotInstalled`] without the `#[global_allocator]`
    /// line, [`Error::Off`] under `HEAPTIDE_MODE=off`, [`Error::Output`] for a path that cannot be
    /// written, [`Error::Config`] for a signal that cannot be handled or a `HEAPTIDE_MODE` that does
    /// not exist, [`Error::Resources`] when
    /// the system has no memory, thread or descriptor left.
    pub fn start(self) -> Result<Recorder, Error> {
        let _internal = InternalGuard::enter();
        match mode::phase_after_an_allocation() {
            Phase::Undecided => return Err(Error::NotInstalled),
            Phase::Off => {
                return Err(mode::complaint_about_mode().map_or(Error::Off, Error::Config));
            }
            Phase::Armed | Phase::Recording | Phase::SampledArmed | Phase::Sampling => {}
        }
        if TAKEN.swap(true, AcqRel) {
            return self.join_environment().ok_or(Error::AlreadyRecording);
        }
        self.start_alone(Taken)
    }

    /// Takes over the recording that the environment started, if nobody has.
    fn join_environment(&self) -> Option<Recorder> {
        if !UNCLAIMED.swap(false, AcqRel) {
            return None;
        }
        let recorder = FROM_ENVIRONMENT.lock().ok()?.take()?;
        let output = self.output.as_os_str().as_encoded_bytes();
        sys::complain(&[b"heaptide: recording as HEAPTIDE_OUT says, not to ", output]);
        Some(recorder)
    }

    fn start_alone(self, taken: Taken) -> Result<Recorder, Error> {
        watch_process();
        let generation = GENERATION.load(Relaxed) + 1;
        if generation > MAX_GENERATION {
            return Err(Error::Config(format!(
                "this process has made {MAX_GENERATION} recordings; no more can be told apart"
            )));
        }
        let no_memory = || Error::Resources(std::io::ErrorKind::OutOfMemory.into());
        let tables = globals::prepare(self.unwinder).ok_or_else(no_memory)?;
        let waker = sys::Waker::open().map_err(Error::Resources)?;
        let session = Session::open(&self, tables, generation)?;
        let (requests, inbox) = mpsc::channel();
        let handle = Handle { requests, pid: sys::process_id() };
        // Before the thread: it may be asked to end at once.
        GENERATION.store(generation, Relaxed);
        ACTIVE.store(handle.pid, Release);
        sys::listen();
        STATE.begin(generation);
        // From here on it is `ended` that makes way for the next recording, once.
        std::mem::forget(taken);
        let spawned = sys::with_all_signals_blocked(|| {
            let thread = std::thread::Builder::new().name("heaptide".into());
            thread.spawn(move || thread::run(session, &waker, &inbox))
        });
        if let Err(err) = spawned {
            sys::listen_no_more();
            ended();
            return Err(Error::Resources(err));
        }
        // If a signal is refused, dropping this ends what has begun.
        let recorder = Recorder { handle, finished: false };
        self.handle_signals()?;
        Ok(recorder)
    }

    fn handle_signals(&self) -> Result<(), Error> {
        let cannot = |signal: i32| {
            move |err| Error::Config(format!("signal {signal} cannot be handled: {err}"))
        };
        if let Some(signal) = self.signal {
            sys::handle_signal(signal, sys::OnSignal::Snapshot).map_err(cannot(signal))?;
        }
        if self.on_termination == OnTermination::Finish {
            for signal in [libc::SIGTERM, libc::SIGINT] {
                sys::handle_signal(signal, sys::OnSignal::Finish).map_err(cannot(signal))?;
            }
        }
        Ok(())
    }
}

/// The right to record, while a recording is being prepared; gives it back when that fails.
#[derive(Debug)]
struct Taken;

impl Drop for Taken {
    fn drop(&mut self) {
        TAKEN.store(false, Relaxed);
    }
}

/// Installs, once, what outlives a recording: the ends of threads and of the process, forks.
fn watch_process() {
    static WATCHED: OnceCell<()> = OnceCell::new();
    WATCHED.get_or_init(|| {
        sys::watch_process_exit(at_process_exit);
        sys::watch_forks(in_forked_child);
    });
}

/// How long a process that ends waits for its last snapshot: its disk may be gone.
const EXIT_PATIENCE: Duration = Duration::from_secs(10);

/// `process::exit`, or `main` returning: the last snapshot.
///
/// Nothing is allocated here, since `exit` may be called from anywhere; and the recorder's own
/// thread (in which a panic hook may call it) does not wait for itself.
extern "C" fn at_process_exit() {
    if ACTIVE.load(Acquire) != sys::process_id() || block::is_internal() {
        return;
    }
    sys::wake_for_exit();
    let give_up = sys::monotonic_ns() + EXIT_PATIENCE.as_nanos() as u64;
    while ACTIVE.load(Acquire) != 0 && sys::monotonic_ns() < give_up {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A forked child records nothing, and leaves the parent's file and pipe alone.
extern "C" fn in_forked_child() {
    STATE.end();
    sampler::part_ways(u64::from(sys::process_id()));
    sys::forget_wake();
    ACTIVE.store(0, Release);
    UNCLAIMED.store(false, Relaxed);
    TAKEN.store(false, Relaxed);
}

/// Called by the recorder thread when it is done.
fn ended() {
    STATE.end();
    ACTIVE.store(0, Release);
    UNCLAIMED.store(false, Relaxed);
    TAKEN.store(false, Relaxed);
}
