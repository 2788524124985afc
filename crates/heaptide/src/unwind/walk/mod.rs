//! The walk itself: apply one rule after the other until the root.
//!
//! While it walks it tells an observer of every stack word that decided where the walk went, in the
//! order in which it was read. Each step below carries the number of the step of the argument in
//! `docs/SAFETY.md` ("Why a match is exact") that it must keep true.

#![forbid(unsafe_code)]

use super::arch::{self, Arch, SignalContext};
use super::observer::WalkObserver;
use super::rule::{Base, Resumes, Rule};
use super::stack::{Caller, PAGE_BYTES, StackBounds, StackMemory};
use crate::sync::AtomicU64;
use crate::sync::Ordering::Relaxed;

/// What a walk found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Frames written to the buffer, innermost first.
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
    /// The page of the highest word that the walk has relied on, or of the stack pointer it began at.
    page: u64,
    /// Whether the last word that it relied on lies on a higher page than all before.
    is_on_new_page: bool,
}

/// Largest frame believed: beyond this the tables are taken to be wrong. It is eight times the stack
/// that a first thread usually has, and bounds how many pages the kernel is asked for.
const MAX_FRAME_BYTES: u64 = 64 << 20;

/// Follows a stack of this machine: [`walk_on`].
pub(crate) fn walk(
    stack: impl StackMemory,
    caller: Caller,
    frames: &[AtomicU64],
    observer: &mut impl WalkObserver,
    rule_of: impl FnMut(u64) -> Rule,
) -> Outcome {
    walk_on(arch::HERE, stack, caller, frames, observer, rule_of)
}

/// Follows the stack of `caller`, writing return addresses to `frames` and telling `observer`, as far as
/// there is room for them.
///
/// `rule_of` is asked for the address of each call (return address less one; the exact address
/// for a frame that a signal interrupted).
#[inline(always)]
pub(super) fn walk_on(
    arch: Arch,
    stack: impl StackMemory,
    caller: Caller,
    frames: &[AtomicU64],
    observer: &mut impl WalkObserver,
    mut rule_of: impl FnMut(u64) -> Rule,
) -> Outcome {
    let mut stack = StackBounds::of_caller(stack, caller.sp);
    let mut at = Cursor::at(caller);
    // Step 1: the innermost frame and its stack pointer are the key of what is remembered.
    let mut next = Next::after_call(caller.ra);
    for (n, to) in frames.iter().enumerate() {
        to.store(next.address, Relaxed);
        let n_frames = n + 1;
        let rule = rule_of(next.call);
        let found = match rule {
            Rule::Root => return Outcome { n_frames, truncated: false },
            Rule::Unknown => {
                distrust_last_word(&at, observer);
                return Outcome { n_frames, truncated: !stack.begin_near(at.sp) };
            }
            // Its caller would find no room: nothing is relied on that no frame is made of.
            _ if n_frames == frames.len() => return Outcome { n_frames, truncated: true },
            Rule::Signal => leave_signal_frame(arch, &mut stack, &mut at, observer),
            Rule::Frame { base, cfa_words, ra_words, fp_words, resumes } => {
                let extent = (base, u64::from(cfa_words) * 8);
                leave_frame(&mut stack, &mut at, observer, extent, ra_words, fp_words)
                    .map(|saved| Next::of(saved & arch.code_bits, resumes))
            }
        };
        match found {
            None => return Outcome { n_frames, truncated: true },
            Some(Next { call: 0 | u64::MAX, .. }) => {
                distrust_last_word(&at, observer);
                return Outcome { n_frames, truncated: false };
            }
            Some(found) => next = found,
        }
    }
    Outcome { n_frames: frames.len(), truncated: true }
}

/// Whoever recognises a stack compares the words that a walk relied on without asking whether they
/// are there: they are, since the frames that hold them are. A word that leads to no code that we
/// know proves no frame. The table that led there may be wrong, or it is the first word above a
/// coroutine's stack. So it is compared only if it lies on a page with a word that is proved.
fn distrust_last_word(at: &Cursor, observer: &mut impl WalkObserver) {
    if at.is_on_new_page {
        observer.cannot_be_repeated();
    }
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
    fn of(address: u64, resumes: Resumes) -> Self {
        match resumes {
            Resumes::AfterCall => Self::after_call(address),
            Resumes::AtAddress => Self::at(address),
        }
    }

    fn after_call(address: u64) -> Self {
        Self { address, call: address.wrapping_sub(1) }
    }

    /// Recorded as if a call had been made there, so that readers may subtract one like elsewhere.
    fn at(address: u64) -> Self {
        Self { address: address.wrapping_add(1), call: address }
    }
}

impl Cursor {
    fn at(caller: Caller) -> Self {
        Self {
            sp: caller.sp,
            fp: caller.fp,
            fp_source: FpSource::Register,
            page: caller.sp / PAGE_BYTES,
            is_on_new_page: false,
        }
    }

    /// The walk relies on the word at `at`.
    fn note(&mut self, at: u64) {
        let page = at / PAGE_BYTES;
        self.is_on_new_page = page > self.page;
        self.page = self.page.max(page);
    }
}

/// Out of an ordinary frame; its return address as it was saved. `None` if there is no such frame on
/// this stack.
fn leave_frame(
    stack: &mut StackBounds<impl StackMemory>,
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
    let saved = read(stack, ra_at, observer)?;
    // Step 3: the entry demands this very word there.
    observer.relied_on_stack(ra_at, saved);
    at.note(ra_at);
    if let Some(words) = fp_words {
        let fp_at = offset(cfa, words);
        at.fp = read(stack, fp_at, observer)?;
        at.fp_source = FpSource::Stack(fp_at);
    }
    at.sp = cfa;
    Some(saved)
}

/// A word that must be there for the walk to go on. What is not there now may be the next time, so
/// then no walk can be spared.
fn read(
    stack: &mut StackBounds<impl StackMemory>,
    at: u64,
    observer: &mut impl WalkObserver,
) -> Option<u64> {
    let word = stack.word(at);
    if word.is_none() {
        observer.cannot_be_repeated();
    }
    word
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
    stack: &mut StackBounds<impl StackMemory>,
    at: &mut Cursor,
    observer: &mut impl WalkObserver,
) -> Option<Next> {
    observer.cannot_be_repeated();
    let mut register = |offset| stack.word(at.sp.checked_add(offset)?);
    let SignalContext { pc, sp, fp } = arch.signal;
    let (pc, sp, fp) = (register(pc)?, register(sp)?, register(fp)?);
    if pc == 0 {
        // A call through a null pointer, say: not the end of a stack.
        return None;
    }
    (at.fp, at.fp_source) = (fp, FpSource::Settled);
    at.sp = sp;
    stack.move_to(sp);
    Some(Next::at(pc))
}

fn offset(cfa: u64, words: i16) -> u64 {
    cfa.wrapping_add_signed(i64::from(words) * 8)
}

#[cfg(all(test, not(loom)))]
mod tests;
