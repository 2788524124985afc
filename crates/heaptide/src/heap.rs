//! The type that users install, and the first decision of a process's life.

#![forbid(unsafe_code)]

use std::alloc::System;

use crate::globals::STATE;
use crate::mode::{self, ProcessMode};
use crate::shared::state::State;
use crate::thread::sampler::MAX_PERIOD_BYTES;

/// The global allocator: `A` with a record of every block.
///
/// Until a recording starts, it costs a nanosecond or two and eight bytes per block. With
/// `HEAPTIDE_MODE=off` in the environment at the program's start it does nothing at all, and with
/// `HEAPTIDE_MODE=sampled` next to nothing: blocks have no eight bytes, and recordings are samples.
#[derive(Debug)]
pub struct Heaptide<A = System> {
    pub(crate) inner: A,
    default_mode: ProcessMode,
}

impl Heaptide<System> {
    /// The shim over the system's allocator.
    pub const fn new() -> Self {
        Self::with(System)
    }

    /// The shim over the system's allocator, off unless `HEAPTIDE_OUT` or `HEAPTIDE_MODE` is set
    /// when the program starts: for programs that are not themselves under test.
    pub const fn off_unless_asked() -> Self {
        Self { inner: System, default_mode: ProcessMode::Off }
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
        Self { inner, default_mode: ProcessMode::Exact }
    }

    /// Samples one in about `period_bytes` of the bytes that the program asks for, unless
    /// `HEAPTIDE_OUT` or `HEAPTIDE_MODE` is set when it starts: for programs that are watched
    /// wherever they run. 524,288 is a good period.
    ///
    /// ```
    /// # use heaptide::Heaptide;
    /// # use std::alloc::System;
    /// static HEAP: Heaptide = Heaptide::with(System).sampled_unless_asked(512 << 10);
    /// ```
    ///
    /// # Panics
    /// At compile time, for a `static`, if the period is 0 or more than 8 MiB.
    pub const fn sampled_unless_asked(mut self, period_bytes: u64) -> Self {
        assert!(
            period_bytes >= 1 && period_bytes <= MAX_PERIOD_BYTES,
            "a period is between 1 byte and 8 MiB"
        );
        self.default_mode = ProcessMode::Sampled { period_bytes };
        self
    }

    /// The first allocation of the process settles whether blocks carry trailers.
    #[cold]
    #[inline(never)]
    pub(crate) fn decide(&self) -> State {
        mode::decide(&STATE, self.default_mode, core::any::type_name::<A>);
        STATE.load()
    }
}
