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

use super::request::Handle;
use crate::globals::STATE;
use crate::sync::AtomicU64;
use crate::sync::Ordering::{AcqRel, Acquire, Release};
use crate::sys;
use crate::thread::{block, sampler};

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

/// The stage of a recording, with the process whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Idle,
    Starting,
    Running {
        pid: u32,
    },
    /// It runs, was started by the environment, and no code has asked for it yet.
    Unclaimed {
        pid: u32,
    },
}

const STAGE_BITS: u32 = 2;
const PID_SHIFT: u32 = 32;

impl Word {
    fn to_bits(self) -> u64 {
        let (stage, pid) = match self.stage {
            Stage::Idle => (0, 0),
            Stage::Starting => (1, 0),
            Stage::Running { pid } => (2, pid),
            Stage::Unclaimed { pid } => (3, pid),
        };
        u64::from(pid) << PID_SHIFT | u64::from(self.n_recordings) << STAGE_BITS | stage
    }

    fn from_bits(bits: u64) -> Self {
        let pid = (bits >> PID_SHIFT) as u32;
        let stage = match bits & ((1 << STAGE_BITS) - 1) {
            0 => Stage::Idle,
            1 => Stage::Starting,
            2 => Stage::Running { pid },
            _ => Stage::Unclaimed { pid },
        };
        Self { stage, n_recordings: bits as u32 >> STAGE_BITS }
    }
}

impl Lifecycle {
    /// The right to start a recording, if there is none.
    pub(super) fn claim(&'static self) -> Option<Claim> {
        let idle = self.pass(|now| (now == Stage::Idle).then_some(Stage::Starting))?;
        Some(Claim { lifecycle: self, n_recordings: idle.n_recordings, is_over: false })
    }

    /// Leaves the recording that runs to the first code that asks for one.
    pub(super) fn leave_unclaimed(&self, handle: Handle) {
        let Ok(mut unclaimed) = self.unclaimed.lock() else { return };
        *unclaimed = Some(handle);
        self.pass(|now| match now {
            Stage::Running { pid } => Some(Stage::Unclaimed { pid }),
            _ => None,
        });
    }

    /// The recording that was left to the first code that asks for one.
    pub(super) fn take_over(&self) -> Option<Handle> {
        self.pass(|now| match now {
            Stage::Unclaimed { pid } => Some(Stage::Running { pid }),
            _ => None,
        })?;
        self.unclaimed.lock().ok()?.take()
    }

    /// The process whose recording runs, if one does.
    fn pid(&self) -> Option<u32> {
        match Word::from_bits(self.word.load(Acquire)).stage {
            Stage::Running { pid } | Stage::Unclaimed { pid } => Some(pid),
            Stage::Idle | Stage::Starting => None,
        }
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
    pub(super) fn begin(mut self, pid: u32) {
        let begun = Word { stage: Stage::Running { pid }, n_recordings: self.generation() };
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
    if LIFECYCLE.pid() != Some(sys::process_id()) || block::is_internal() {
        return;
    }
    sys::wake_for_exit();
    let give_up = sys::monotonic_ns() + EXIT_PATIENCE.as_nanos() as u64;
    while LIFECYCLE.pid().is_some() && sys::monotonic_ns() < give_up {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A forked child records nothing, and leaves the parent's file and pipe alone.
extern "C" fn in_forked_child() {
    STATE.end();
    sampler::reseed_after_fork(u64::from(sys::process_id()));
    sys::forget_wake();
    LIFECYCLE.end();
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

    fn lifecycle() -> &'static Lifecycle {
        Box::leak(Box::new(Lifecycle { word: AtomicU64::new(0), unclaimed: Mutex::new(None) }))
    }

    #[test]
    fn there_is_one_recording_at_a_time_and_each_has_a_number() {
        let lifecycle = lifecycle();
        for generation in 1..4 {
            drop(lifecycle.claim().expect("nothing is recorded"));
            let claim = lifecycle.claim().expect("a start that failed makes way");
            assert_eq!(claim.generation(), generation);
            assert!(lifecycle.claim().is_none(), "another is being started");
            assert_eq!(lifecycle.pid(), None);
            claim.begin(7);
            assert!(lifecycle.claim().is_none(), "another runs");
            assert_eq!(lifecycle.pid(), Some(7));
            lifecycle.end();
            assert_eq!(lifecycle.pid(), None);
        }
    }

    #[test]
    fn a_recording_of_the_environment_is_taken_over_once_and_while_it_runs() {
        let lifecycle = lifecycle();
        let handle = || Handle { requests: mpsc::channel().0, pid: 7 };
        lifecycle.claim().expect("nothing is recorded").begin(7);
        assert!(lifecycle.take_over().is_none(), "code started it");
        lifecycle.leave_unclaimed(handle());
        assert_eq!(lifecycle.pid(), Some(7));
        assert!(lifecycle.claim().is_none(), "it runs");
        assert!(lifecycle.take_over().is_some());
        assert!(lifecycle.take_over().is_none(), "it was taken over");
        lifecycle.end();
        lifecycle.leave_unclaimed(handle());
        assert!(lifecycle.take_over().is_none(), "it has ended");
    }
}
