//! From a module's unwind tables to the [`Rule`] of one address.
//!
//! gimli parses; this module chooses what a rule can say. Nothing is allocated: the table row
//! lives on the stack.

#![forbid(unsafe_code)]

use gimli::{
    BaseAddresses, CfaRule, EhFrame, EhFrameOffset, EndianSlice, NativeEndian, RegisterRule,
    UnwindContext, UnwindContextStorage, UnwindSection, UnwindTableRow,
};

use super::arch::Arch;
use super::rule::{Base, Resumes, Rule};

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

/// How linkers encode the header: version 1; where `.eh_frame` is, from here; a count; a table of
/// offsets from the header (Linux Standard Base, ".eh_frame_hdr"). Four bytes each.
const ENCODING: [u8; 4] = [1, 0x1b, 0x03, 0x3b];

/// Where `.eh_frame` begins, as `.eh_frame_hdr` (which stands at `header_at`) says.
pub(crate) fn frames_at(header: &[u8], header_at: u64) -> Option<u64> {
    let (encoding, rest) = header.split_first_chunk()?;
    let (offset, _) = rest.split_first_chunk()?;
    let offset = i64::from(i32::from_ne_bytes(*offset));
    (*encoding == ENCODING).then(|| header_at.wrapping_add(4).wrapping_add_signed(offset))
}

/// Where the description of the last function stands that begins at or below `address`.
///
/// gimli has such a search, but it panics on overflow where a table is damaged.
fn description_at(sections: Sections<'_>, address: u64) -> Option<u64> {
    let (count, rows) = sections.header.get(8..)?.split_first_chunk()?;
    let (rows, _) = rows.as_chunks::<8>();
    let rows = rows.get(..u32::from_ne_bytes(*count) as usize)?;
    let absolute = |[a, b, c, d]: [u8; 4]| {
        let offset = i64::from(i32::from_ne_bytes([a, b, c, d]));
        sections.header_at.wrapping_add_signed(offset)
    };
    let start = |&[a, b, c, d, ..]: &[u8; 8]| absolute([a, b, c, d]);
    let after = rows.partition_point(|row| start(row) <= address);
    let &[.., a, b, c, d] = rows.get(after.checked_sub(1)?)?;
    Some(absolute([a, b, c, d]))
}

/// The rule of the code at `address` (of the instruction itself, not of the one after a call).
pub(crate) fn rule_of(arch: Arch, sections: Sections<'_>, address: u64) -> Rule {
    find(arch, sections, address).unwrap_or(Rule::Unknown)
}

fn find(arch: Arch, sections: Sections<'_>, address: u64) -> Option<Rule> {
    let bases = BaseAddresses::default()
        .set_eh_frame_hdr(sections.header_at)
        .set_eh_frame(sections.frames_at);
    let mut frames: EhFrame<Bytes<'_>> = EhFrame::new(sections.frames, NativeEndian);
    frames.set_vendor(arch.vendor);
    let at = description_at(sections, address)?.checked_sub(sections.frames_at)?;
    let at = EhFrameOffset(usize::try_from(at).ok()?);
    let entry = frames.fde_from_offset(&bases, at, EhFrame::cie_from_offset).ok()?;
    if !entry.contains(address) {
        return None;
    }
    let resumes =
        if entry.is_signal_trampoline() { Resumes::AtAddress } else { Resumes::AfterCall };
    let mut context = UnwindContext::<usize, OnStack>::new_in();
    let row = entry.unwind_info_for_address(&frames, &bases, &mut context, address).ok()?;
    Some(simplify(arch, row).resuming(resumes))
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
