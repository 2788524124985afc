//! What differs between the two first-class machines: register numbers, what a return address looks
//! like in memory, and the signal frame.
//!
//! Each machine is a value, so that the rules of both are tested on either. Register numbers are
//! DWARF's, from the psABI of each.

#![forbid(unsafe_code)]

use gimli::{Register, Vendor};

/// A machine, as far as its stacks go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arch {
    pub(crate) sp: Register,
    /// The base pointer (`rbp`, `x29`).
    pub(crate) fp: Register,
    /// The return address: a column of the table, or the link register.
    pub(crate) ra: Register,
    /// Whose extensions the tables use.
    pub(crate) vendor: Vendor,
    /// Bits of a saved return address that are the address.
    pub(crate) code_bits: u64,
    /// `None`: stacks end, as truncated, where they pass through a signal handler.
    pub(crate) signal: Option<SignalContext>,
}

/// Byte offsets of the interrupted registers in the `ucontext_t` that a signal frame leaves at its
/// stack pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SignalContext {
    pub(crate) fp: u64,
    pub(crate) sp: u64,
    pub(crate) pc: u64,
}

const X86_64: Arch = Arch {
    sp: gimli::X86_64::RSP,
    fp: gimli::X86_64::RBP,
    ra: gimli::X86_64::RA,
    vendor: Vendor::Default,
    code_bits: u64::MAX,
    signal: Some(SignalContext { fp: 120, sp: 160, pc: 168 }),
};

const AARCH64: Arch = Arch {
    sp: gimli::AArch64::SP,
    fp: gimli::AArch64::X29,
    ra: gimli::AArch64::X30,
    vendor: Vendor::AArch64,
    // With pointer authentication a saved return address carries a signature above the address
    // (`paciasp` in the prologue). Linux maps nothing above 48 bits unless it is asked to by
    // address, so these are all that code can have.
    code_bits: (1 << 48) - 1,
    // The kernel's trampoline has no entry in the tables of arm64's vDSO.
    signal: None,
};

/// The machines whose tables we read.
#[cfg(all(test, not(loom)))]
pub(crate) const ALL: [Arch; 2] = [X86_64, AARCH64];

/// This machine; on one that is not known it is never asked.
pub(crate) const HERE: Arch = if cfg!(target_arch = "aarch64") { AARCH64 } else { X86_64 };
