//! The walk over made-up stacks: the right frames, the right ends, and no word read that is not of
//! the stack.

use std::cell::Cell;
use std::collections::BTreeMap;

use super::super::arch;
use super::super::rule::{Base, Resumes, Rule};
use super::super::stack::{Caller, PAGE_BYTES};
use super::super::synthetic::{
    Made, Reads, Repeatable, SP, Shape, any_stack, based, frame_buffer, plain,
};
use super::{Outcome, walk_on};
use heaptide_format::MAX_FRAMES;
use proptest::prelude::*;

const ROOT: Shape = plain(0x1000, 1);

/// What the walk finds must be what was made, and the memory must have been asked for nothing else.
fn check(made: &Made) {
    let (outcome, addresses) = made.walk(&mut Repeatable(true));
    assert_eq!(addresses, made.addresses);
    assert!(!outcome.truncated);
}

/// The walk must end after `n_frames`, as truncated.
fn check_cut(made: &Made, n_frames: usize) {
    let (outcome, addresses) = made.walk(&mut Repeatable(true));
    assert_eq!(outcome, Outcome { n_frames, truncated: true });
    assert_eq!(addresses, made.addresses[..n_frames]);
}

#[test]
#[cfg_attr(miri, ignore = "safe code, and slow there")]
fn frames_are_followed_to_the_root() {
    let record = Shape { ra_below: 3, saves_fp: true, ..plain(0x5000, 8) };
    let saves = Shape { saves_fp: true, ..plain(0x6000, 4) };
    for shapes in [
        vec![ROOT],
        vec![plain(0x2000, 1), ROOT],
        vec![plain(0x2000, 1), plain(0x3000, 40), plain(0x4000, 5000), ROOT],
        vec![based(0x2000, 6), ROOT],
        vec![plain(0x2000, 3), based(0x3000, 6), plain(0x4000, 2), based(0x3000, 60), ROOT],
        vec![saves, plain(0x4000, 2), based(0x3000, 6), ROOT],
        vec![record, record, saves, based(0x3000, 9), record, ROOT],
        vec![plain(0x2000, 3); 5].into_iter().chain([ROOT]).collect(),
    ] {
        check(&Made::of(&shapes));
    }
}

#[test]
fn a_walk_ends_at_what_it_does_not_know() {
    let shapes = [plain(0x2000, 4), based(0x3000, 6), plain(0x4000, 2), plain(0x5000, 2), ROOT];
    for cut in 0..shapes.len() {
        let mut made = Made::of(&shapes);
        made.rules.insert(shapes[cut].address - 1, Rule::Unknown);
        check_cut(&made, cut + 1);
    }
}

#[test]
fn a_null_return_address_is_the_end() {
    let mut made = Made::of(&[plain(0x2000, 4), plain(0x3000, 4), ROOT]);
    made.words.insert(SP + 8 * 7, 0);
    let (outcome, addresses) = made.walk(&mut Repeatable(true));
    assert_eq!(outcome, Outcome { n_frames: 2, truncated: false });
    assert_eq!(addresses, made.addresses[..2]);
}

/// A frame must lie above the one before it: a base pointer that leads down, or in a circle, or
/// out of all proportion, is not followed.
#[test]
fn a_frame_that_does_not_grow_ends_the_walk() {
    let shapes = [plain(0x2000, 4), based(0x3000, 6), ROOT];
    let made = Made::of(&shapes);
    for fp in [0, SP - 64, SP, SP + 16, SP + 8 * 5 + 1, SP + (65 << 20), u64::MAX - 7, u64::MAX] {
        let mut made = made.clone();
        made.caller.fp = fp;
        check_cut(&made, 2);
    }
    check(&made);
}

#[test]
fn a_circle_of_base_pointers_ends() {
    let mut made = Made::of(&[based(0x2000, 6), based(0x2000, 6), based(0x2000, 6), ROOT]);
    // The second frame says that its caller's base is the first's.
    let first_base = made.caller.fp;
    made.words.insert(first_base + 8 * 6, first_base);
    let (outcome, addresses) = made.walk(&mut Repeatable(true));
    assert!(outcome.truncated);
    assert_eq!(addresses, [0x2000; 3]);
}

#[test]
#[cfg_attr(miri, ignore = "safe code, and slow there")]
fn of_a_deep_stack_the_innermost_frames_are_kept() {
    for (n_frames, truncated) in [
        (MAX_FRAMES - 1, false),
        (MAX_FRAMES, false),
        (MAX_FRAMES + 1, true),
        (10 * MAX_FRAMES, true),
    ] {
        let mut shapes = vec![plain(0x2000, 1)];
        shapes.resize(n_frames - 1, plain(0x3000, 4));
        shapes.push(ROOT);
        let made = Made::of(&shapes);
        let mut observer = Repeatable(true);
        let (outcome, addresses) = made.walk(&mut observer);
        assert_eq!(outcome, Outcome { n_frames: n_frames.min(MAX_FRAMES), truncated });
        assert_eq!(addresses, made.addresses[..outcome.n_frames]);
        assert!(observer.0);
    }
}

#[test]
fn signatures_of_return_addresses_are_not_part_of_them() {
    let [_, aarch64] = arch::ALL;
    let mut made = Made::of(&[plain(0x2000, 4), based(0x3000, 6), ROOT]);
    for (at, word) in &mut made.words {
        if made.addresses.contains(word) {
            *word |= 0x005a_0000_0000_0000 ^ at << 48;
        }
    }
    let (outcome, addresses) = made.walk_as(aarch64, &mut Repeatable(true));
    assert_eq!(outcome, Outcome { n_frames: 3, truncated: false });
    assert_eq!(addresses, made.addresses);
}

/// From the handler, over the kernel's frame, to what was interrupted, on another stack.
#[test]
fn a_signal_frame_leads_to_what_it_interrupted() {
    let interrupted = Made::of(&[plain(0x2000, 4), based(0x3000, 6), ROOT]);
    let handler_sp = 0x1000_0000;
    for arch in arch::ALL {
        let mut made = interrupted.clone();
        made.words.insert(handler_sp + 8, 0x9000);
        let context = arch.signal;
        for (at, value) in [
            // What is interrupted is looked up at its very address, not one before.
            (context.pc, made.caller.ra - 1),
            (context.sp, made.caller.sp),
            (context.fp, made.caller.fp),
        ] {
            made.words.insert(handler_sp + 16 + at, value);
        }
        made.rules.insert(0x8000 - 1, Rule::frame(Base::Sp, 16, -8, None));
        made.rules.insert(0x9000 - 1, Rule::Signal);
        made.caller = Caller { ra: 0x8000, sp: handler_sp, fp: 7 };
        let mut observer = Repeatable(true);
        let (outcome, addresses) = made.walk_as(arch, &mut observer);
        assert_eq!(outcome, Outcome { n_frames: 5, truncated: false });
        let expected = [&[0x8000, 0x9000], &made.addresses[..]].concat();
        assert_eq!(addresses, expected);
        assert!(!observer.0, "a stack through a signal is not remembered");
    }
}

/// The augmentation `S` means that the caller goes on at the very address, not after a call, and no
/// more: a trampoline of coroutines has it, and is no signal frame.
#[test]
fn a_frame_whose_caller_goes_on_at_its_address_is_an_ordinary_one() {
    let mut made = Made::of(&[plain(0x2000, 4), based(0x3000, 6), plain(0x4000, 2), ROOT]);
    let trampoline = made.rules[&(0x3000 - 1)].resuming(Resumes::AtAddress);
    made.rules.insert(0x3000 - 1, trampoline);
    // At this address a function begins: one before is another's.
    let rule = made.rules.remove(&(0x4000 - 1)).expect("its rule");
    made.rules.insert(0x4000, rule);
    let mut observer = Repeatable(true);
    let (outcome, addresses) = made.walk(&mut observer);
    assert_eq!(outcome, Outcome { n_frames: 4, truncated: false });
    assert_eq!(addresses, [0x2000, 0x3000, 0x4001, 0x1000], "readers subtract one");
    assert!(observer.0);
}

/// Pages of a stack; reading on another is a crash.
#[derive(Clone, Copy)]
struct Pages<'a> {
    words: &'a BTreeMap<u64, u64>,
    readable: &'a [u64],
    asked: &'a Cell<u32>,
    /// Stack pointer of start-up code without tables; 0 without such code.
    begins_at: u64,
}

impl super::StackMemory for Pages<'_> {
    fn word(self, at: u64) -> u64 {
        assert!(self.readable.contains(&(at / PAGE_BYTES)), "a read of {at:#x} outside the stack");
        self.words.get(&at).copied().unwrap_or(0xdead)
    }

    fn is_readable(self, page: u64) -> bool {
        self.asked.set(self.asked.get() + 1);
        self.readable.contains(&(page / PAGE_BYTES))
    }

    fn begins_near(self, sp: u64) -> bool {
        sp == self.begins_at
    }
}

/// Walks `made` where only so many pages are there, from that of the stack pointer on; and whether
/// the walk can be repeated.
fn walk_in_pages(made: &Made, readable: &[u64]) -> (Outcome, bool, u32) {
    let asked = Cell::new(0);
    let memory = Pages { words: &made.words, readable, asked: &asked, begins_at: 0 };
    let rules = |call| made.rules.get(&call).copied().unwrap_or(Rule::Unknown);
    let mut observer = Repeatable(true);
    let outcome = walk_on(arch::HERE, memory, made.caller, &frame_buffer(), &mut observer, rules);
    (outcome, observer.0, asked.get())
}

const FIRST_PAGE: u64 = SP / PAGE_BYTES;

/// A hole in the pages is the end of the stack, even if there is memory above it.
#[test]
fn a_walk_reads_no_page_that_is_not_there() {
    let large = plain(0x3000, 2 * PAGE_BYTES as u32 / 8);
    let made = Made::of(&[plain(0x2000, 4), large, large, plain(0x4000, 2), ROOT]);
    let all: Vec<u64> = (FIRST_PAGE..FIRST_PAGE + 5).collect();
    assert_eq!(walk_in_pages(&made, &all).0, Outcome { n_frames: 5, truncated: false });
    for hole in 0..5 {
        let readable: Vec<u64> = all.iter().copied().filter(|p| *p != FIRST_PAGE + hole).collect();
        let (outcome, repeatable, _) = walk_in_pages(&made, &readable);
        let n_frames = [1, 2, 2, 3, 3][hole as usize];
        assert_eq!(outcome, Outcome { n_frames, truncated: true }, "page {hole}");
        assert!(!repeatable, "what was not there may be the next time");
    }
}

/// A page is asked for once, and that of the stack pointer not at all, if the hook's own frames lie
/// on it too.
#[test]
fn pages_are_asked_for_once() {
    let check = |moved_by: u64, asked: u32| {
        let shapes =
            [plain(0x2000, 4), plain(0x3000, 40), plain(0x4000, 600), plain(0x5000, 9), ROOT];
        let made = Made::of(&shapes).moved_by(moved_by);
        let pages: Vec<u64> = (FIRST_PAGE..FIRST_PAGE + 4).collect();
        assert_eq!(
            walk_in_pages(&made, &pages),
            (Outcome { n_frames: 5, truncated: false }, true, asked)
        );
    };
    check(0, 2);
    check(8, 1);
    check(PAGE_BYTES - 8, 2);
}

/// A table that lies, and leads above the stack: that is the end, whatever is there.
#[test]
fn a_table_that_leads_elsewhere_is_not_followed() {
    let check = |cfa, ra| {
        let mut made = Made::of(&[plain(0x2000, 4), ROOT]);
        made.rules.insert(0x2000 - 1, Rule::frame(Base::Sp, cfa, ra, None));
        let (outcome, repeatable, _) = walk_in_pages(&made, &[FIRST_PAGE, FIRST_PAGE - 1]);
        assert_eq!((outcome, repeatable), (Outcome { n_frames: 1, truncated: true }, false));
    };
    // A page up, where there is none.
    check(4096, 0);
    check(8 * 513, -8);
    check(1 << 20, 8);
    // Below the stack pointer, where there are no frames of callers.
    check(8, -16);
    check(8, -4104);
}

/// A word that leads to no known code proves nothing. It is relied on only where reading it again is
/// safe because a word before it is on the same page.
#[test]
fn a_last_word_on_a_page_of_its_own_is_not_relied_on() {
    let check = |words: u32, last: u64, repeatable: bool| {
        let mut made = Made::of(&[plain(0x2000, 4), plain(0x3000, words), ROOT]);
        made.words.insert(SP + 8 * (u64::from(words) + 3), last);
        let (outcome, seen, _) = walk_in_pages(&made, &[FIRST_PAGE, FIRST_PAGE + 1]);
        assert_eq!(outcome.truncated, last != 0);
        assert_eq!(seen, repeatable, "{words} words, {last:#x}");
    };
    check(6, 0x7777, true);
    check(6, 0, true);
    check(508, 0x7777, true);
    check(509, 0x7777, false);
    check(509, 0, false);
}

/// Code without tables that stands where the stack begins is the root, though nobody says so.
#[test]
fn code_without_tables_at_the_beginning_is_the_root() {
    let mut made = Made::of(&[plain(0x2000, 4), plain(0x3000, 6), ROOT]);
    made.rules.remove(&(0x1000 - 1));
    for (begins_at, truncated) in [(SP + 8 * 10, false), (SP + 8 * 4, true)] {
        let asked = Cell::new(0);
        let memory =
            Pages { words: &made.words, readable: &[FIRST_PAGE], asked: &asked, begins_at };
        let rules = |call| made.rules.get(&call).copied().unwrap_or(Rule::Unknown);
        let mut observer = Repeatable(true);
        let outcome =
            walk_on(arch::HERE, memory, made.caller, &frame_buffer(), &mut observer, rules);
        assert_eq!(outcome, Outcome { n_frames: 3, truncated });
    }
}

/// Each address is asked for in the order of the walk, one byte before the return address.
#[test]
fn rules_are_asked_for_the_calls() {
    let made = Made::of(&[plain(0x2000, 4), based(0x3000, 6), plain(0x4000, 2), ROOT]);
    let (buffer, reads, asked) = (frame_buffer(), Reads::default(), Cell::new(0));
    let mut rules: BTreeMap<_, _> = made.rules.clone();
    let memory = made.memory(&reads);
    walk_on(arch::HERE, memory, made.caller, &buffer, &mut Repeatable(true), |call| {
        assert_eq!(call + 1, made.addresses[asked.get()]);
        asked.set(asked.get() + 1);
        rules.remove(&call).expect("asked once")
    });
    assert!(rules.is_empty());
}

proptest! {
    #[test]
    #[cfg_attr(miri, ignore = "safe code, and slow there")]
    fn any_stack_is_followed_to_its_root(shapes in any_stack(40)) {
        check(&Made::of(&shapes));
    }

    /// Whatever the words say, the walk ends, and reads nothing but the stack.
    #[test]
    #[cfg_attr(miri, ignore = "safe code, and slow there")]
    fn a_damaged_stack_ends_somewhere(
        shapes in any_stack(20),
        at in any::<prop::sample::Index>(),
        instead in any::<prop::sample::Index>(),
    ) {
        let mut made = Made::of(&shapes);
        let words: Vec<u64> = made.words.values().copied().collect();
        prop_assume!(!words.is_empty());
        let at = made.words.keys().nth(at.index(words.len())).copied().expect("in range");
        made.words.insert(at, words[instead.index(words.len())]);
        // All memory may be read here: which words are the stack's is what was damaged.
        let rules = |call| made.rules.get(&call).copied().unwrap_or(Rule::Unknown);
        let memory = Everywhere(&made.words);
        let mut observer = Repeatable(true);
        let outcome =
            walk_on(arch::HERE, memory, made.caller, &frame_buffer(), &mut observer, rules);
        prop_assert!(outcome.n_frames <= MAX_FRAMES);
    }
}

#[derive(Clone, Copy)]
struct Everywhere<'a>(&'a BTreeMap<u64, u64>);

impl super::StackMemory for Everywhere<'_> {
    fn word(self, at: u64) -> u64 {
        self.0.get(&at).copied().unwrap_or(0)
    }

    fn is_readable(self, _: u64) -> bool {
        true
    }

    fn begins_near(self, _: u64) -> bool {
        false
    }
}
