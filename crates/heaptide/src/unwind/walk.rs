//! The walk itself: apply one rule after the other until the root.
//!
//! While it walks it tells an observer of every stack word that decided where the walk went, in the
//! order in which it was read. Each step below carries the number of the step of the argument in
//! `docs/SAFETY.md` ("Why a match is exact") that it must keep true.

#![forbid(unsafe_code)]

use super::arch::{self, Arch};
use super::observer::WalkObserver;
use super::rule::{Base, Rule};
use super::stack::{Caller, Scratch, StackMemory};
use crate::sync::Ordering::Relaxed;

/// What a walk found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Frames written to the scratch, innermost first.
    pub(crate) n_frames: usize,
    /// The stack went on, but was not followed further.
    pub(crate) truncated: bool,
}

/// Where the base pointer's present value came from.
#[derive(Clone, Copy, Debug)]
enum FpSource {
    /// It is what the register held when the hook was called.
    Register,
    /// It was saved at this address.
    Stack(u64),
    /// Something already relies on it.
    Settled,
}

/// The registers of the frame being left.
#[derive(Clone, Copy, Debug)]
struct Cursor {
    sp: u64,
    fp: u64,
    fp_source: FpSource,
}

/// Largest frame believed: beyond this the tables are taken to be wrong.
const MAX_FRAME_BYTES: u64 = 64 << 20;

/// Follows a stack of this machine: [`walk_on`].
pub(crate) fn walk(
    stack: impl StackMemory,
    caller: Caller,
    frames: &Scratch,
    observer: &mut impl WalkObserver,
    rule_of: impl FnMut(u64) -> Rule,
) -> Outcome {
    walk_on(arch::HERE, stack, caller, frames, observer, rule_of)
}

/// Follows the stack of `caller`, writing return addresses to `frames` and telling `observer`.
///
/// `rule_of` is asked for the address of each call (return address less one; the exact address
/// for a frame that a signal interrupted).
#[inline(always)]
pub(super) fn walk_on(
    arch: Arch,
    stack: impl StackMemory,
    caller: Caller,
    frames: &Scratch,
    observer: &mut impl WalkObserver,
    mut rule_of: impl FnMut(u64) -> Rule,
) -> Outcome {
    let mut at = Cursor { sp: caller.sp, fp: caller.fp, fp_source: FpSource::Register };
    // Step 1: the innermost frame and its stack pointer are the memo's key.
    let mut address = caller.ra;
    let mut call = address.wrapping_sub(1);
    for (n, to) in frames.iter().enumerate() {
        to.store(address, Relaxed);
        let n_frames = n + 1;
        let next = match rule_of(call) {
            Rule::Root => return Outcome { n_frames, truncated: false },
            Rule::Unknown => return Outcome { n_frames, truncated: true },
            Rule::Signal => leave_signal_frame(arch, stack, &mut at, observer),
            Rule::Frame { base, cfa_words, ra_words, fp_words } => {
                let cfa_bytes = u64::from(cfa_words) * 8;
                leave_frame(stack, &mut at, observer, (base, cfa_bytes), ra_words, fp_words)
                    .map(|saved| Next::returning_to(saved & arch.code_bits))
            }
        };
        let Some(next) = next else { return Outcome { n_frames, truncated: true } };
        if next.address == 0 {
            return Outcome { n_frames, truncated: false };
        }
        (address, call) = (next.address, next.call);
    }
    Outcome { n_frames: frames.len(), truncated: true }
}

/// The next frame out.
#[derive(Clone, Copy, Debug)]
struct Next {
    /// What is recorded: the return address.
    address: u64,
    /// What the tables are asked for.
    call: u64,
}

impl Next {
    fn returning_to(address: u64) -> Self {
        Self { address, call: address.wrapping_sub(1) }
    }
}

/// Out of an ordinary frame; its return address as it was saved.
fn leave_frame(
    stack: impl StackMemory,
    at: &mut Cursor,
    observer: &mut impl WalkObserver,
    (base, cfa_bytes): (Base, u64),
    ra_words: i16,
    fp_words: Option<i16>,
) -> Option<u64> {
    let cfa = match base {
        Base::Sp => at.sp.checked_add(cfa_bytes)?,
        Base::Fp => {
            // Step 2b: the extent depends on the base pointer, so the entry must too.
            settle_fp(at, observer);
            at.fp.checked_add(cfa_bytes)?
        }
    };
    if cfa <= at.sp || cfa - at.sp > MAX_FRAME_BYTES || cfa % 8 != 0 {
        return None;
    }
    // Step 2a: given address and CFA, the table fixes where the return address lies.
    let ra_at = offset(cfa, ra_words);
    let saved = stack.word(ra_at);
    // Step 3: the entry demands this very word there.
    observer.relied_on_stack(ra_at, saved);
    if let Some(words) = fp_words {
        let fp_at = offset(cfa, words);
        at.fp = stack.word(fp_at);
        at.fp_source = FpSource::Stack(fp_at);
    }
    at.sp = cfa;
    Some(saved)
}

fn settle_fp(at: &mut Cursor, observer: &mut impl WalkObserver) {
    match at.fp_source {
        FpSource::Register => observer.relied_on_register(at.fp),
        FpSource::Stack(from) => observer.relied_on_stack(from, at.fp),
        FpSource::Settled => {}
    }
    at.fp_source = FpSource::Settled;
}

/// Out of a signal handler, to what it interrupted, maybe on another stack. Never remembered.
fn leave_signal_frame(
    arch: Arch,
    stack: impl StackMemory,
    at: &mut Cursor,
    observer: &mut impl WalkObserver,
) -> Option<Next> {
    observer.cannot_be_repeated();
    let context = arch.signal?;
    let pc = stack.word(at.sp.checked_add(context.pc)?);
    let sp = stack.word(at.sp.checked_add(context.sp)?);
    at.fp = stack.word(at.sp.checked_add(context.fp)?);
    at.fp_source = FpSource::Settled;
    at.sp = sp;
    // Recorded as if a call had been made there, so that readers may subtract one like elsewhere.
    Some(Next { address: pc.wrapping_add(1), call: pc })
}

fn offset(cfa: u64, words: i16) -> u64 {
    cfa.wrapping_add_signed(i64::from(words) * 8)
}

#[cfg(all(test, not(loom)))]
mod tests;
