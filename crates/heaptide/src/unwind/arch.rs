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
    /// Where the kernel keeps the registers of what a signal interrupted.
    pub(crate) signal: SignalContext,
    /// The code that a signal handler returns to, as the kernel or the C library writes it.
    restorers: &'static [&'static [u8]],
}

impl Arch {
    /// Whether this is the code that signal handlers return to, which asks the kernel to bring back
    /// what they interrupted (`rt_sigreturn`). Only the frame that returns there is the kernel's:
    /// debuggers and libgcc (`MD_FALLBACK_FRAME_STATE_FOR`) tell it by these instructions as well.
    pub(crate) fn is_restorer(&self, code: &[u8; RESTORER_BYTES]) -> bool {
        self.restorers.iter().any(|restorer| code.starts_with(restorer))
    }
}

/// Bytes of the longest restorer, rounded up to words.
pub(crate) const RESTORER_BYTES: usize = 16;

/// Byte offsets of the interrupted registers from the stack pointer that a handler leaves behind
/// when it returns (`struct rt_sigframe` of each kernel).
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
    // The handler's return took the first word of the frame; `ucontext_t` begins right above.
    signal: SignalContext { fp: 120, sp: 160, pc: 168 },
    restorers: &[
        // mov $15, %rax; syscall
        &[0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05],
        // mov $15, %eax; syscall
        &[0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05],
    ],
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
    // 128 bytes of `siginfo_t` lie below `ucontext_t`, whose registers begin at 184.
    signal: SignalContext { fp: 544, sp: 560, pc: 568 },
    // mov x8, #139; svc #0: in arm64's vDSO, without an entry in its tables.
    restorers: &[&[0x68, 0x11, 0x80, 0xd2, 0x01, 0, 0, 0xd4]],
};

/// The machines whose tables we read.
#[cfg(all(test, not(loom)))]
pub(crate) const ALL: [Arch; 2] = [X86_64, AARCH64];

/// This machine; on one that is not known it is never asked.
pub(crate) const HERE: Arch = if cfg!(target_arch = "aarch64") { AARCH64 } else { X86_64 };

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_restorer_is_known_by_its_instructions() {
        let check = |arch: Arch, code: &[u8], is: bool| {
            let mut bytes = [0x90; RESTORER_BYTES];
            bytes[..code.len()].copy_from_slice(code);
            assert_eq!(arch.is_restorer(&bytes), is, "{code:x?}");
        };
        check(X86_64, &[0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05], true);
        check(X86_64, &[0xb8, 15, 0, 0, 0, 0x0f, 0x05], true);
        check(X86_64, &[0x48, 0xc7, 0xc0, 14, 0, 0, 0, 0x0f, 0x05], false);
        check(X86_64, &[0x48, 0xc7, 0xc0, 15, 0, 0, 0], false);
        check(X86_64, &[], false);
        check(AARCH64, &[0x68, 0x11, 0x80, 0xd2, 0x01, 0, 0, 0xd4], true);
        check(AARCH64, &[0x68, 0x11, 0x80, 0xd2], false);
        check(AARCH64, &[0x88, 0x11, 0x80, 0xd2, 0x01, 0, 0, 0xd4], false);
    }
}
