//! Stacks made up for tests: rules, and the words that a program with such rules would leave.
//!
//! Only words of the stack can be read; any other read fails the test, as it would a program.

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::collections::BTreeMap;

use heaptide_format::MAX_FRAMES;
use proptest::prelude::*;

use super::arch::{self, Arch};
use super::observer::WalkObserver;
use super::rule::{Base, Rule};
use super::stack::{Caller, FrameBuffer, PAGE_BYTES, StackMemory};
use super::walk::{Outcome, walk_on};
use crate::sync::AtomicU64;
use crate::sync::Ordering::Relaxed;

/// Where made-up stacks begin.
pub(crate) const SP: u64 = 0x7fff_0000_0000;
/// What the base pointer holds where nobody uses it.
const FOREIGN_FP: u64 = 0x5eed;

/// One frame of a stack to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Return address into the frame's code.
    pub(crate) address: u64,
    /// Size of the frame, its return address included.
    pub(crate) words: u32,
    pub(crate) base: Base,
    /// Words between the return address and the top of the frame.
    pub(crate) ra_below: u32,
    pub(crate) saves_fp: bool,
}

/// An ordinary frame: measured from the stack pointer, return address on top.
pub(crate) const fn plain(address: u64, words: u32) -> Shape {
    Shape { address, words, base: Base::Sp, ra_below: 0, saves_fp: false }
}

/// A frame with a base pointer (`push rbp; mov rbp, rsp`), whatever its size.
pub(crate) const fn based(address: u64, words: u32) -> Shape {
    Shape { address, words, base: Base::Fp, ra_below: 0, saves_fp: true }
}

impl Shape {
    /// The rule of its code: of a frame with a base pointer it is the same for every size.
    fn rule(self) -> Rule {
        let ra = -8 * (i64::from(self.ra_below) + 1);
        let fp = self.saves_fp.then_some(ra - 8);
        let cfa = match self.base {
            Base::Sp => i64::from(self.words) * 8,
            Base::Fp => 16,
        };
        Rule::frame(self.base, cfa, ra, fp)
    }
}

/// A stack, and the rules of the code on it.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) caller: Caller,
    pub(crate) words: BTreeMap<u64, u64>,
    pub(crate) rules: BTreeMap<u64, Rule>,
    /// The addresses that a walk must find.
    pub(crate) addresses: Vec<u64>,
}

impl Made {
    /// The stack of these frames, innermost first; the last one has no caller.
    pub(crate) fn of(shapes: &[Shape]) -> Self {
        let mut rules: BTreeMap<u64, Rule> =
            shapes.iter().map(|shape| (shape.address - 1, shape.rule())).collect();
        let (_, with_callers) = shapes.split_last().expect("a stack has a frame");
        let outermost = shapes[with_callers.len()];
        rules.insert(outermost.address - 1, Rule::Root);
        let mut words = BTreeMap::new();
        let tops: Vec<u64> = with_callers
            .iter()
            .scan(SP, |sp, shape| {
                let from = *sp;
                *sp += u64::from(shape.words) * 8;
                words.extend((from..*sp).step_by(8).map(|at| (at, at ^ 0xaaaa)));
                Some(*sp)
            })
            .collect();
        // From the outside in: what the base pointer holds in a frame is what its callee saves.
        let mut fp = FOREIGN_FP;
        for (at, (shape, cfa)) in with_callers.iter().zip(&tops).enumerate().rev() {
            let ra_at = cfa - 8 * (u64::from(shape.ra_below) + 1);
            words.insert(ra_at, shapes[at + 1].address);
            if shape.saves_fp {
                words.insert(ra_at - 8, fp);
            }
            if shape.base == Base::Fp {
                fp = cfa - 16;
            }
        }
        let caller = Caller { ra: shapes[0].address, sp: SP, fp };
        let addresses = shapes.iter().map(|shape| shape.address).collect();
        Self { caller, words, rules, addresses }
    }

    /// The same, for a caller at another stack pointer.
    pub(crate) fn moved_by(mut self, bytes: u64) -> Self {
        let is_of_stack = |word: u64| (SP..SP + (1 << 32)).contains(&word);
        let moved = |word: u64| if is_of_stack(word) { word + bytes } else { word };
        self.words = self.words.iter().map(|(at, word)| (at + bytes, moved(*word))).collect();
        self.caller.sp += bytes;
        self.caller.fp = moved(self.caller.fp);
        self
    }

    pub(crate) fn memory<'a>(&'a self, reads: &'a Reads) -> Watched<'a> {
        Watched { words: &self.words, reads }
    }

    fn rule_of(&self, call: u64) -> Rule {
        self.rules.get(&call).copied().unwrap_or(Rule::Unknown)
    }

    /// Walks it; what was found. What the walk relied on, `observer` is told.
    pub(crate) fn walk(&self, observer: &mut impl WalkObserver) -> (Outcome, Vec<u64>) {
        self.walk_as(arch::HERE, observer)
    }

    /// The same on a machine of this kind.
    pub(crate) fn walk_as(
        &self,
        arch: Arch,
        observer: &mut impl WalkObserver,
    ) -> (Outcome, Vec<u64>) {
        let (buffer, reads) = (frame_buffer(), Reads::default());
        let rule_of = |call| self.rule_of(call);
        let memory = self.memory(&reads);
        let outcome = walk_on(arch, memory, self.caller, &buffer, observer, rule_of);
        (outcome, found(&buffer, outcome))
    }
}

/// Whether a walk can be repeated, of all that it says.
#[derive(Debug)]
pub(crate) struct Repeatable(pub(crate) bool);

impl WalkObserver for Repeatable {
    fn relied_on_stack(&mut self, _: u64, _: u64) {}

    fn relied_on_register(&mut self, _: u64) {}

    fn cannot_be_repeated(&mut self) {
        self.0 = false;
    }
}

/// Room for the frames of one walk.
pub(crate) fn frame_buffer() -> FrameBuffer {
    [const { AtomicU64::new(0) }; MAX_FRAMES]
}

/// The frames that a walk wrote.
pub(crate) fn found(buffer: &FrameBuffer, outcome: Outcome) -> Vec<u64> {
    buffer[..outcome.n_frames].iter().map(|frame| frame.load(Relaxed)).collect()
}

/// Addresses of words that were read, in order.
pub(crate) type Reads = RefCell<Vec<u64>>;

/// The words of one stack and no others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watched<'a> {
    words: &'a BTreeMap<u64, u64>,
    reads: &'a Reads,
}

impl StackMemory for Watched<'_> {
    fn word(self, at: u64) -> u64 {
        self.reads.borrow_mut().push(at);
        *self.words.get(&at).unwrap_or_else(|| panic!("{at:#x} is not on the stack, but was read"))
    }

    /// On the pages of the stack, the words that are not of it can be read as well.
    fn is_readable(self, page: u64) -> bool {
        self.words.range(page..page + PAGE_BYTES).next().is_some()
    }

    fn begins_near(self, _: u64) -> bool {
        false
    }
}

/// Any stack of up to so many frames, with few addresses, so that recursion is common.
pub(crate) fn any_stack(most_frames: usize) -> impl Strategy<Value = Vec<Shape>> {
    let shape = (1..12u64, 0..2u32, any::<bool>(), any::<bool>(), 0..3u32);
    let shape = shape.prop_map(|(code, ra_below, has_base, saves_fp, spare)| {
        // All but the size of a frame with a base pointer is a function of the code.
        let (has_base, saves_fp) = (has_base && code % 3 == 0, saves_fp && code % 2 == 0);
        let ra_below = if code % 4 == 1 { ra_below.min(1) } else { 0 };
        (code, ra_below, has_base, saves_fp, spare)
    });
    let shape = shape.prop_map(|(code, ra_below, has_base, saves_fp, spare)| Shape {
        address: 0x40_0000
            + code * 0x100
            + u64::from(ra_below) * 0x10
            + u64::from(has_base) * 0x20
            + u64::from(saves_fp) * 0x40,
        words: 4 + ra_below + code as u32 % 5 + if has_base { spare } else { 0 },
        base: if has_base { Base::Fp } else { Base::Sp },
        ra_below,
        saves_fp: saves_fp || has_base,
    });
    prop::collection::vec(shape, 1..most_frames).prop_map(|mut shapes| {
        // The root's code is nobody else's.
        shapes.push(plain(0x50_0000, 1));
        shapes
    })
}
