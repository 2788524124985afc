//! What differs between the two first-class targets: register numbers and the signal frame.
//!
//! Register numbers are DWARF's, from the psABI of each architecture.

#![forbid(unsafe_code)]

use gimli::Register;

#[cfg(target_arch = "x86_64")]
mod numbers {
    use super::Register;

    pub(crate) const SP: Register = gimli::X86_64::RSP;
    pub(crate) const FP: Register = gimli::X86_64::RBP;
    pub(crate) const RA: Register = gimli::X86_64::RA;
    /// Byte offsets in the `ucontext_t` that a signal frame leaves at its stack pointer.
    pub(crate) const SIGNAL_CONTEXT: Option<super::SignalContext> =
        Some(super::SignalContext { fp: 120, sp: 160, pc: 168 });
}

// On other machines the numbers are never used: stacks are taken by the `backtrace` crate.
#[cfg(not(target_arch = "x86_64"))]
mod numbers {
    use super::Register;

    pub(crate) const SP: Register = gimli::AArch64::SP;
    pub(crate) const FP: Register = gimli::AArch64::X29;
    pub(crate) const RA: Register = gimli::AArch64::X30;
    /// Stacks that pass through a signal handler end there, as truncated.
    pub(crate) const SIGNAL_CONTEXT: Option<super::SignalContext> = None;
}

pub(crate) use numbers::{FP, RA, SIGNAL_CONTEXT, SP};

/// Where the kernel left the interrupted registers, from the signal frame's stack pointer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SignalContext {
    pub(crate) fp: u64,
    pub(crate) sp: u64,
    pub(crate) pc: u64,
}

/// Whether this machine is one of the two.
pub(crate) const IS_KNOWN: bool = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));
