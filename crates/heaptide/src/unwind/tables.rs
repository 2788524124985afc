//! From a module's unwind tables to the [`Rule`] of one address.
//!
//! gimli parses; this module chooses what a rule can say. Nothing is allocated: the table row
//! lives on the stack.

#![forbid(unsafe_code)]

use gimli::{
    BaseAddresses, CfaRule, EhFrame, EhFrameHdr, EhFrameOffset, EndianSlice, NativeEndian, Pointer,
    RegisterRule, UnwindContext, UnwindContextStorage, UnwindSection, UnwindTableRow,
};

use super::arch::Arch;
use super::rule::{Base, Rule};

type Bytes<'a> = EndianSlice<'a, NativeEndian>;

/// The unwind sections of a loaded module, where they stand in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sections<'a> {
    /// `.eh_frame_hdr`.
    pub(crate) header: &'a [u8],
    pub(crate) header_at: u64,
    /// `.eh_frame`, to the end of its segment or beyond its terminator.
    pub(crate) frames: &'a [u8],
    pub(crate) frames_at: u64,
}

/// Room for the registers of one row: both targets save fewer than this in one function.
const MAX_RULES: usize = 34;
/// Rows remembered by `DW_CFA_remember_state`.
const MAX_ROWS: usize = 4;

#[derive(Debug)]
struct OnStack;

impl UnwindContextStorage<usize> for OnStack {
    type Rules = [(gimli::Register, RegisterRule<usize>); MAX_RULES];
    type Stack = [UnwindTableRow<usize, Self>; MAX_ROWS];
}

/// Where `.eh_frame` begins, as `.eh_frame_hdr` (which stands at `header_at`) says.
pub(crate) fn frames_at(header: &[u8], header_at: u64) -> Option<u64> {
    let bases = BaseAddresses::default().set_eh_frame_hdr(header_at);
    let parsed = EhFrameHdr::new(header, NativeEndian).parse(&bases, 8).ok()?;
    match parsed.eh_frame_ptr() {
        Pointer::Direct(at) => Some(at),
        Pointer::Indirect(_) => None,
    }
}

/// The rule of the code at `address` (of the instruction itself, not of the one after a call).
pub(crate) fn rule_of(arch: Arch, sections: Sections<'_>, address: u64) -> Rule {
    find(arch, sections, address).unwrap_or(Rule::Unknown)
}

fn find(arch: Arch, sections: Sections<'_>, address: u64) -> Option<Rule> {
    let bases = BaseAddresses::default()
        .set_eh_frame_hdr(sections.header_at)
        .set_eh_frame(sections.frames_at);
    let header = EhFrameHdr::new(sections.header, NativeEndian).parse(&bases, 8).ok()?;
    let mut frames: EhFrame<Bytes<'_>> = EhFrame::new(sections.frames, NativeEndian);
    frames.set_vendor(arch.vendor);
    let table = header.table()?;
    let at = table.lookup(address, &bases).ok()?;
    // Not `pointer_to_offset`: it overflows on a table that points before itself.
    let (Pointer::Direct(at) | Pointer::Indirect(at)) = at;
    let at = EhFrameOffset(usize::try_from(at.checked_sub(sections.frames_at)?).ok()?);
    let entry = frames.fde_from_offset(&bases, at, EhFrame::cie_from_offset).ok()?;
    if !entry.contains(address) {
        return None;
    }
    if entry.is_signal_trampoline() {
        return Some(Rule::Signal);
    }
    let mut context = UnwindContext::<usize, OnStack>::new_in();
    let row = entry.unwind_info_for_address(&frames, &bases, &mut context, address).ok()?;
    Some(simplify(arch, row))
}

/// What the walk can use of a row.
///
/// A frame that keeps its return address in the link register (`None`: the table does not mention
/// it) has made no call, for a call overwrites that register. So it is nobody's caller, and does
/// not occur on a stack except where a signal interrupted it. Code that never returns may leave
/// it out all the same: nothing is known then.
fn simplify(arch: Arch, row: &UnwindTableRow<usize, OnStack>) -> Rule {
    let &CfaRule::RegisterAndOffset { register, offset: cfa } = row.cfa() else {
        return Rule::Unknown;
    };
    let base = match register {
        _ if register == arch.sp => Base::Sp,
        _ if register == arch.fp => Base::Fp,
        _ => return Rule::Unknown,
    };
    let ra = match row.register(arch.ra) {
        Some(RegisterRule::Offset(ra)) => ra,
        Some(RegisterRule::Undefined) => return Rule::Root,
        _ => return Rule::Unknown,
    };
    match row.register(arch.fp) {
        None | Some(RegisterRule::SameValue) => Rule::frame(base, cfa, ra, None),
        Some(RegisterRule::Offset(fp)) => Rule::frame(base, cfa, ra, Some(fp)),
        _ => Rule::Unknown,
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
