//! The type that users install, and the first decision of a process's life.

#![forbid(unsafe_code)]

use std::alloc::System;

use crate::recorder;
use crate::state::{Phase, State, StateCell};

/// What the shim is doing; see [`crate::state`].
pub(crate) static STATE: StateCell = StateCell::new();

/// The global allocator: `A` with a record of every block.
///
/// Until a recording starts, it costs a nanosecond or two and eight bytes per block. With
/// `HEAPTIDE_MODE=off` in the environment at the program's start it does nothing at all.
#[derive(Debug)]
pub struct Heaptide<A = System> {
    pub(crate) inner: A,
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
    pub(crate) fn state(&self) -> State {
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
