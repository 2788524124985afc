//! Whether this process records: one state, in one word.
//!
//! | stage | entered by | left by |
//! |---|---|---|
//! | idle | the process; the end of a recording; `fork`, in the child | whoever starts one |
//! | starting | whoever starts one, alone | its success or failure |
//! | running | success | the recorder thread, when it is done |
//! | unclaimed | the start of the process, whose recording runs and belongs to no code yet | the code that asks for one |
//!
//! A word and not a lock: `exit` may be called from a signal handler, and a forked child may find any
//! lock held for ever by a thread that it does not have.

#![forbid(unsafe_code)]

use std::sync::Mutex;
use std::time::Duration;

use once_cell::sync::OnceCell;

use super::children;
use super::request::Handle;
use super::termination::{END_PATIENCE, n_own_threads};
use crate::globals::STATE;
use crate::sync::AtomicU64;
use crate::sync::Ordering::{AcqRel, Acquire, Release};
use crate::sys;
use crate::thread::block;
use crate::thread::sampler;

/// The recorder of this process.
pub(super) static LIFECYCLE: Lifecycle =
    Lifecycle { word: AtomicU64::new(0), unclaimed: Mutex::new(None) };

/// What the recorder of a process is doing.
#[derive(Debug)]
pub(super) struct Lifecycle {
    /// As [`Word`] reads it.
    word: AtomicU64,
    /// How to reach the recording that waits to be asked for.
    unclaimed: Mutex<Option<Handle>>,
}

/// What the word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Word {
    stage: Stage,
    /// How many recordings were begun so far.
    n_recordings: u32,
}

/// The stage of the recording of whoever [`sys::is_owner`] says owns it: a copy of that process has
/// the word too, and must not believe it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Idle,
    Starting,
    Running,
    /// It runs, was started by the environment, and no code has asked for it yet.
    Unclaimed,
}

const STAGE_BITS: u32 = 2;

impl Word {
    fn to_bits(self) -> u64 {
        let stage = match self.stage {
            Stage::Idle => 0,
            Stage::Starting => 1,
            Stage::Running => 2,
            Stage::Unclaimed => 3,
        };
        u64::from(self.n_recordings) << STAGE_BITS | stage
    }

    fn from_bits(bits: u64) -> Self {
        let stage = match bits & ((1 << STAGE_BITS) - 1) {
            0 => Stage::Idle,
            1 => Stage::Starting,
            2 => Stage::Running,
            _ => Stage::Unclaimed,
        };
        Self { stage, n_recordings: (bits >> STAGE_BITS) as u32 }
    }
}

impl Lifecycle {
    /// The right to start a recording, if there is none.
    pub(super) fn claim(&'static self) -> Option<Claim> {
        let is_free = |now| now == Stage::Idle || now != Stage::Starting && !sys::is_owner();
        let idle = self.pass(|now| is_free(now).then_some(Stage::Starting))?;
        Some(Claim { lifecycle: self, n_recordings: idle.n_recordings, is_over: false })
    }

    /// Leaves the recording that runs to the first code that asks for one.
    pub(super) fn leave_unclaimed(&self, handle: Handle) {
        let Ok(mut unclaimed) = self.unclaimed.lock() else { return };
        *unclaimed = Some(handle);
        self.pass(|now| (now == Stage::Running).then_some(Stage::Unclaimed));
    }

    /// The recording that was left to the first code that asks for one.
    pub(super) fn take_over(&self) -> Option<Handle> {
        let is_left = |now| now == Stage::Unclaimed && sys::is_owner();
        self.pass(|now| is_left(now).then_some(Stage::Running))?;
        self.unclaimed.lock().ok()?.take()
    }

    /// Whether a recording of this process runs.
    fn runs(&self) -> bool {
        let stage = Word::from_bits(self.word.load(Acquire)).stage;
        matches!(stage, Stage::Running | Stage::Unclaimed) && sys::is_owner()
    }

    fn end(&self) {
        self.pass(|_| Some(Stage::Idle));
    }

    /// Goes on to another stage; where the process stood before.
    fn pass(&self, next: impl Fn(Stage) -> Option<Stage>) -> Option<Word> {
        let next = |bits| {
            let now = Word::from_bits(bits);
            next(now.stage).map(|stage| Word { stage, ..now }.to_bits())
        };
        self.word.fetch_update(AcqRel, Acquire, next).ok().map(Word::from_bits)
    }
}

/// The right to start a recording; given back when that fails.
#[derive(Debug)]
pub(super) struct Claim {
    lifecycle: &'static Lifecycle,
    n_recordings: u32,
    is_over: bool,
}

impl Claim {
    /// The number of the recording to come, from 1.
    pub(super) fn generation(&self) -> u32 {
        self.n_recordings + 1
    }

    /// The recording runs: from here on it is [`ended`] that makes way for the next.
    pub(super) fn begin(mut self) {
        let begun = Word { stage: Stage::Running, n_recordings: self.generation() };
        self.lifecycle.word.store(begun.to_bits(), Release);
        self.is_over = true;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.is_over {
            self.lifecycle.end();
        }
    }
}

/// Installs, once, what outlives a recording: the ends of threads and of the process, forks.
pub(super) fn watch_process() {
    static WATCHED: OnceCell<()> = OnceCell::new();
    WATCHED.get_or_init(|| {
        sys::watch_process_exit(at_process_exit);
        sys::watch_forks(before_fork, children::after_fork_in_parent, in_forked_child);
    });
}

/// `process::exit`, or `main` returning: the last snapshot.
///
/// Nothing is allocated here, since `exit` may be called from anywhere; and the recorder's own
/// thread (in which a panic hook may call it) does not wait for itself.
extern "C" fn at_process_exit() {
    if !LIFECYCLE.runs() || block::is_internal() {
        return;
    }
    sys::wake(sys::Want::Exit);
    let give_up = sys::monotonic_ns() + END_PATIENCE.as_nanos() as u64;
    while LIFECYCLE.runs() && sys::monotonic_ns() < give_up {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// In the thread that forks.
extern "C" fn before_fork() {
    children::before_fork(LIFECYCLE.runs(), n_own_threads());
}

/// A forked child has no part in its parent's recording. It may begin one of its own.
extern "C" fn in_forked_child() {
    STATE.end();
    sampler::reseed_after_fork(u64::from(sys::process_id()));
    sys::forget_wants();
    LIFECYCLE.end();
    children::after_fork_in_child();
}

/// Called by the recorder thread when it is done.
pub(super) fn ended() {
    STATE.end();
    LIFECYCLE.end();
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::sys::ProcessCopy;

    /// Of this process, as far as that is asked. Each test has one for good, which is not leaked: sanitizers
    /// look for that.
    const fn of_this_process() -> Lifecycle {
        Lifecycle { word: AtomicU64::new(0), unclaimed: Mutex::new(None) }
    }

    #[test]
    fn there_is_one_recording_at_a_time_and_each_has_a_number() {
        static LIFECYCLE: Lifecycle = of_this_process();
        let lifecycle = &LIFECYCLE;
        sys::listen();
        for generation in 1..4 {
            drop(lifecycle.claim().expect("nothing is recorded"));
            let claim = lifecycle.claim().expect("a start that failed makes way");
            assert_eq!(claim.generation(), generation);
            assert!(lifecycle.claim().is_none(), "another is being started");
            assert!(!lifecycle.runs());
            claim.begin();
            assert!(lifecycle.claim().is_none(), "another runs");
            assert!(lifecycle.runs());
            lifecycle.end();
            assert!(!lifecycle.runs());
        }
    }

    #[test]
    fn a_recording_of_the_environment_is_taken_over_once_and_while_it_runs() {
        static LIFECYCLE: Lifecycle = of_this_process();
        let lifecycle = &LIFECYCLE;
        sys::listen();
        let handle = || Handle { requests: mpsc::channel().0, process: ProcessCopy::this() };
        lifecycle.claim().expect("nothing is recorded").begin();
        assert!(lifecycle.take_over().is_none(), "code started it");
        lifecycle.leave_unclaimed(handle());
        assert!(lifecycle.runs());
        assert!(lifecycle.claim().is_none(), "it runs");
        assert!(lifecycle.take_over().is_some());
        assert!(lifecycle.take_over().is_none(), "it was taken over");
        lifecycle.end();
        lifecycle.leave_unclaimed(handle());
        assert!(lifecycle.take_over().is_none(), "it has ended");
    }
}
