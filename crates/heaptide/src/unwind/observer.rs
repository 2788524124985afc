//! Who watches a walk: told of everything that decided where it went, in the order in which it was
//! read.
//!
//! The walk does not know what that is for. Whoever keeps it can tell later, without a walk, that a
//! stack is the same (`docs/SAFETY.md`, "Why a match is exact").

#![forbid(unsafe_code)]

/// The observer of one walk.
pub(crate) trait WalkObserver {
    /// The walk read `word` at address `at` and relied on it.
    fn relied_on_stack(&mut self, at: u64, word: u64);

    /// The walk relied on the base pointer's register holding `fp` at the call.
    fn relied_on_register(&mut self, fp: u64);

    /// The walk relied on something that cannot be expressed: it cannot be repeated by comparing.
    fn cannot_be_repeated(&mut self);
}
