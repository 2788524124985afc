//! The walk over made-up stacks: the right frames, the right ends, and no word read that is not of
//! the stack.

use std::cell::Cell;
use std::collections::BTreeMap;

use super::super::arch;
use super::super::rule::{Base, Rule};
use super::super::stack::{Caller, MAX_FRAMES};
use super::super::synthetic::{
    Made, Reads, Repeatable, SP, Shape, any_stack, based, plain, scratch,
};
use super::{Outcome, walk_on};
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
        let mut n_frames = 2;
        if let Some(context) = arch.signal {
            n_frames += 3;
            for (at, value) in [
                // What is interrupted is looked up at its very address, not one before.
                (context.pc, made.caller.ra - 1),
                (context.sp, made.caller.sp),
                (context.fp, made.caller.fp),
            ] {
                made.words.insert(handler_sp + 16 + at, value);
            }
        }
        made.rules.insert(0x8000 - 1, Rule::frame(Base::Sp, 16, -8, None));
        made.rules.insert(0x9000 - 1, Rule::Signal);
        made.caller = Caller { ra: 0x8000, sp: handler_sp, fp: 7 };
        let mut observer = Repeatable(true);
        let (outcome, addresses) = made.walk_as(arch, &mut observer);
        assert_eq!(outcome, Outcome { n_frames, truncated: arch.signal.is_none() });
        let expected = [&[0x8000, 0x9000], &made.addresses[..]].concat();
        assert_eq!(addresses, expected[..n_frames]);
        assert!(!observer.0, "a stack through a signal is not remembered");
    }
}

/// Each address is asked for in the order of the walk, one byte before the return address.
#[test]
fn rules_are_asked_for_the_calls() {
    let made = Made::of(&[plain(0x2000, 4), based(0x3000, 6), plain(0x4000, 2), ROOT]);
    let (scratch, reads, asked) = (scratch(), Reads::default(), Cell::new(0));
    let mut rules: BTreeMap<_, _> = made.rules.clone();
    let memory = made.memory(&reads);
    walk_on(arch::HERE, memory, made.caller, &scratch, &mut Repeatable(true), |call| {
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
            walk_on(arch::HERE, memory, made.caller, &scratch(), &mut observer, rules);
        prop_assert!(outcome.n_frames <= MAX_FRAMES);
    }
}

#[derive(Clone, Copy)]
struct Everywhere<'a>(&'a BTreeMap<u64, u64>);

impl super::StackMemory for Everywhere<'_> {
    fn word(self, at: u64) -> u64 {
        self.0.get(&at).copied().unwrap_or(0)
    }
}
