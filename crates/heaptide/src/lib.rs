//! Heaptide: a global allocator shim that records every live allocation by call site, cheaply
//! enough to leave on in every test build.
//!
//! ```no_run
//! #[global_allocator]
//! static HEAP: heaptide::Heaptide = heaptide::Heaptide::new();
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let recorder = heaptide::Recorder::builder()
//!         .output("target/heaptide/shop.jsonl")
//!         .interval(std::time::Duration::from_secs(5))
//!         .start()?;
//!     heaptide::work("requests", 1);
//!     recorder.finish()?;
//!     Ok(())
//! }
//! ```
//!
//! With the `static` alone, `HEAPTIDE_OUT=path` starts a recording before `main`. The command
//! `heaptide` reads what is written, and says which call site grows without end.
//!
//! Everything unsafe stands in the modules marked so below; each of the others forbids it.

mod labels;
mod memo;
mod record;
mod recorder;
mod recording;
mod sites;
mod state;
mod sync;
mod threads;

mod counters;

#[expect(unsafe_code, reason = "turns mapped memory into references")]
mod arena;
#[expect(unsafe_code, reason = "entry points without a prologue")]
mod entry;
#[expect(unsafe_code, reason = "implements GlobalAlloc and reads the stack")]
mod hook;
#[expect(unsafe_code, reason = "calls the C library")]
mod sys;
#[expect(unsafe_code, reason = "reads the loader's tables; calls the fallback unwinder")]
mod unwind;

use std::alloc::System;

pub use recorder::{Builder, Error, Mode, Recorder};

use state::{Phase, State, StateCell};

/// What the shim is doing; see [`state`].
static STATE: StateCell = StateCell::new();

/// The global allocator: `A` with a record of every block.
///
/// Until a recording starts, it costs a nanosecond or two and eight bytes per block. With
/// `HEAPTIDE_MODE=off` in the environment at the program's start it does nothing at all.
#[derive(Debug)]
pub struct Heaptide<A = System> {
    inner: A,
    unasked: Phase,
}

impl Heaptide<System> {
    /// The shim over the system's allocator.
    pub const fn new() -> Self {
        Self::with(System)
    }

    /// The shim over the system's allocator, off unless `HEAPTIDE_OUT` or `HEAPTIDE_MODE` is set
    /// when the program starts: for programs that are not themselves under test.
    pub const fn off_unless_asked() -> Self {
        Self { inner: System, unasked: Phase::Off }
    }
}

impl Default for Heaptide<System> {
    fn default() -> Self {
        Self::new()
    }
}

impl<A> Heaptide<A> {
    /// The shim over another allocator.
    pub const fn with(inner: A) -> Self {
        Self { inner, unasked: Phase::Armed }
    }

    #[inline(always)]
    fn state(&self) -> State {
        let state = STATE.load();
        if state.phase() == Phase::Undecided { self.decide() } else { state }
    }

    /// The first allocation of the process settles whether blocks carry records.
    #[cold]
    #[inline(never)]
    fn decide(&self) -> State {
        recorder::environment::decide(&STATE, self.unasked, core::any::type_name::<A>);
        STATE.load()
    }
}

/// Counts `n` units of work under `name`: growth is then judged per unit of work.
///
/// Costs next to nothing, and nothing happens when no recording runs. A process may count up to 15
/// kinds of work; further names are counted together as `[other]`.
pub fn work(name: &str, n: u64) {
    recorder::work(name, n);
}

/// Keeps the sites of what this thread allocates apart under `name`, until the result is dropped.
///
/// Tags nest: the innermost counts. Nothing happens when no recording runs.
pub fn tag(name: &str) -> Tag {
    Tag { before: recorder::enter_tag(name), thread: core::marker::PhantomData }
}

/// A tag in force; see [`tag`].
#[derive(Debug)]
#[must_use = "the tag ends when this is dropped"]
pub struct Tag {
    before: Option<u32>,
    /// The tag is the thread's: it must end where it began.
    thread: core::marker::PhantomData<*const ()>,
}

impl Drop for Tag {
    fn drop(&mut self) {
        if let Some(before) = self.before {
            recorder::leave_tag(before);
        }
    }
}
