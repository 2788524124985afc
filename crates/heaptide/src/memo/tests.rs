//! The memo over made-up stacks: it recognises what a walk would find, and nothing else, and reads
//! no word beyond the first that differs.

#![forbid(unsafe_code)]

use proptest::prelude::*;

use super::{Draft, Memo};
use crate::arena::Arena;
use crate::counters;
use crate::record::SiteIndex;
use crate::state::{Phase, StateCell};
use crate::threads::{Hold, Loan};
use crate::unwind::Caller;
use crate::unwind::synthetic::{Made, Reads, SP, Shape, any_stack, based, plain, thread_block};

/// A thread that learns and recognises stacks.
struct Thread {
    loan: Loan,
    arena: Arena,
}

impl Thread {
    fn new() -> Self {
        Self { loan: thread_block(), arena: Arena::new() }
    }

    fn hold(&mut self) -> &mut Hold {
        self.loan.hold_mut()
    }

    fn memo(&mut self) -> &mut Memo {
        self.hold().memo_mut()
    }

    /// Walks the stack and remembers it as this site; whether it can be remembered.
    fn learn(&mut self, made: &Made, site: u32) -> bool {
        let slots = &self.loan.hold().block().slots;
        let slot = counters::slot(slots, &self.arena, SiteIndex(site)).expect("memory");
        let (_, addresses, draft) = made.walk(self.hold());
        assert_eq!(addresses, made.addresses[..addresses.len()]);
        let usable = draft.usable;
        draft.commit(slot);
        usable
    }

    /// The site that is remembered of this stack, and the words that were looked at.
    fn look(&mut self, made: &Made) -> (Option<u32>, Vec<u64>) {
        let there = self.memo().find_in_place(made.memory(&Reads::default()), made.caller);
        let reads = Reads::default();
        let slot = self.memo().find(made.memory(&reads), made.caller);
        assert_eq!(there.map(core::ptr::from_ref), slot.map(core::ptr::from_ref));
        (slot.map(|slot| slot.site().0), reads.into_inner())
    }

    fn recognises(&mut self, made: &Made) -> Option<u32> {
        self.look(made).0
    }
}

fn stack() -> Vec<Shape> {
    let record = Shape { ra_below: 1, saves_fp: true, ..plain(0x5000, 8) };
    vec![
        plain(0x2000, 3),
        based(0x3000, 6),
        plain(0x4000, 2),
        record,
        based(0x6000, 12),
        plain(0x4000, 2),
        plain(0x1000, 1),
    ]
}

/// The words that the walk relies on, in its order: with each base pointer, the word it is from.
fn relied_on(thread: &mut Thread, made: &Made) -> Vec<u64> {
    let (_, _, draft) = made.walk(thread.hold());
    run_of(&draft).into_iter().map(|(_, d)| made.caller.sp + u64::from(d) * 8).collect()
}

/// The words and distances of a draft.
fn run_of(draft: &Draft<'_>) -> Vec<(u64, u32)> {
    let groups = draft.memo.log[draft.memo.end..].iter();
    let pairs = groups.flat_map(|group| group.words.into_iter().zip(group.distances));
    pairs.take(draft.len).collect()
}

#[test]
fn a_stack_is_recognised_by_the_words_that_led_the_walk() {
    let (mut thread, made) = (Thread::new(), Made::of(&stack()));
    assert_eq!(thread.recognises(&made), None);
    assert!(thread.learn(&made, 7));
    let (site, reads) = thread.look(&made);
    assert_eq!(site, Some(7));
    let relied = relied_on(&mut thread, &made);
    assert_eq!(reads[..relied.len()], relied);
    assert!(reads[relied.len()..].iter().all(|at| Some(at) == relied.last()), "padding");
}

#[test]
fn any_word_that_differs_is_a_miss_and_the_last_one_read() {
    let (mut thread, made) = (Thread::new(), Made::of(&stack()));
    thread.learn(&made, 7);
    let relied = relied_on(&mut thread, &made);
    // Seven frames have six return addresses; of two base pointers one is in the register.
    assert_eq!(relied.len(), 6 + 1);
    for (n, at) in relied.iter().enumerate() {
        let mut other = made.clone();
        *other.words.get_mut(at).expect("on the stack") ^= 0x10;
        // Nothing further out may be there at all.
        other.words.retain(|at, _| !relied[n + 1..].contains(at));
        let (site, reads) = thread.look(&other);
        assert_eq!(site, None, "word {n} at {at:#x}");
        assert_eq!(reads, relied[..=n], "word {n}");
    }
    assert_eq!(thread.recognises(&made), Some(7));
}

#[test]
fn a_word_that_led_nowhere_does_not_matter() {
    let (mut thread, mut made) = (Thread::new(), Made::of(&stack()));
    thread.learn(&made, 7);
    let relied = relied_on(&mut thread, &made);
    for (at, word) in &mut made.words {
        if !relied.contains(at) {
            *word = !*word;
        }
    }
    assert_eq!(thread.recognises(&made), Some(7));
}

#[test]
fn the_key_is_compared_whole() {
    let (mut thread, made) = (Thread::new(), Made::of(&stack()));
    thread.learn(&made, 7);
    let Caller { ra, sp, fp } = made.caller;
    for caller in [
        Caller { ra: ra + 1, ..made.caller },
        Caller { ra: ra | 1 << 56, ..made.caller },
        Caller { sp: sp + 8, ..made.caller },
        Caller { sp: sp - 8, ..made.caller },
        Caller { sp: sp | 1 << 56, ..made.caller },
        Caller { fp: fp + 8, ..made.caller },
        Caller { fp: 0, ..made.caller },
    ] {
        let (site, reads) = thread.look(&Made { caller, ..made.clone() });
        assert_eq!((site, reads), (None, Vec::new()), "{caller:x?}");
    }
}

#[test]
fn the_base_pointer_matters_only_where_a_rule_needs_it() {
    for (shapes, matters) in [
        (vec![plain(0x2000, 3), plain(0x3000, 4), plain(0x1000, 1)], false),
        (vec![plain(0x2000, 3), based(0x3000, 4), plain(0x1000, 1)], true),
        (
            vec![Shape { saves_fp: true, ..plain(0x4000, 3) }, based(0x3000, 4), plain(0x1000, 1)],
            false,
        ),
    ] {
        let (mut thread, mut made) = (Thread::new(), Made::of(&shapes));
        assert!(thread.learn(&made, 9));
        made.caller.fp ^= 0x40;
        assert_eq!(thread.recognises(&made).is_none(), matters, "{shapes:x?}");
    }
}

#[test]
fn a_stack_counts_under_its_tag() {
    let (mut thread, made) = (Thread::new(), Made::of(&stack()));
    for tag in [0, 3, 4] {
        thread.memo().set_tag(tag);
        assert_eq!(thread.recognises(&made), None, "tag {tag}");
        thread.learn(&made, 20 + tag);
    }
    for tag in [4, 0, 3] {
        thread.memo().set_tag(tag);
        assert_eq!(thread.recognises(&made), Some(20 + tag));
    }
}

#[test]
fn an_unloaded_module_voids_what_was_remembered() {
    let (mut thread, made) = (Thread::new(), Made::of(&stack()));
    thread.learn(&made, 7);
    let state = StateCell::new();
    state.decide(Phase::Armed);
    thread.hold().forget_unloaded(state.load());
    assert_eq!(thread.recognises(&made), Some(7));
    state.note_unloads(1);
    thread.hold().forget_unloaded(state.load());
    assert_eq!(thread.recognises(&made), None);
    thread.learn(&made, 8);
    assert_eq!(thread.recognises(&made), Some(8));
}

#[test]
fn another_thread_takes_over_nothing() {
    let (mut thread, made) = (Thread::new(), Made::of(&stack()));
    thread.memo().set_tag(5);
    thread.learn(&made, 7);
    thread.memo().hand_over(SP + 4096);
    assert_eq!(thread.memo().tag(), 0);
    for tag in [0, 5] {
        thread.memo().set_tag(tag);
        assert_eq!(thread.recognises(&made), None);
    }
}

/// Eras are numbered, and their numbers begin again.
#[test]
#[cfg_attr(miri, ignore = "a million steps")]
fn an_era_is_not_taken_for_an_earlier_one() {
    let (mut thread, made) = (Thread::new(), Made::of(&stack()));
    thread.memo().set_tag(5);
    thread.learn(&made, 7);
    for _ in 0..=1u32 << (32 - super::TAG_BITS) {
        thread.memo().clear();
        assert_eq!(thread.recognises(&made), None);
    }
    assert_eq!(thread.memo().tag(), 5);
}

/// More stacks than there is room for, of all lengths: what was learnt last is always known, and
/// whatever is recognised is what it was learnt as.
#[test]
#[cfg_attr(miri, ignore = "safe code, and slow there")]
fn what_does_not_fit_is_forgotten_and_never_mistaken() {
    let mut thread = Thread::new();
    let made = |n: u32| {
        let mut shapes = vec![plain(0x10_0000 + u64::from(n % 1000) * 16, 2 + n % 3)];
        shapes.resize(2 + n as usize % 300, plain(0x4000, 4));
        shapes.push(plain(0x1000, 1));
        Made::of(&shapes).moved_by(u64::from(n % 40) * 64)
    };
    // `made` repeats after so many.
    const DIFFERENT: u32 = 1000;
    let mut known = 0;
    for n in 0..3000 {
        let made_now = made(n % DIFFERENT);
        let site = 2 + n % DIFFERENT;
        match thread.recognises(&made_now) {
            Some(recognised) => assert_eq!(recognised, site),
            None => assert!(thread.learn(&made_now, site)),
        }
        assert_eq!(thread.recognises(&made_now), Some(site));
        if let Some(earlier) = n.checked_sub(5) {
            let recognised = thread.recognises(&made(earlier % DIFFERENT));
            assert!(recognised.is_none_or(|site| site == 2 + earlier % DIFFERENT));
            known += u32::from(recognised.is_some());
        }
    }
    assert!(known > 2700, "of 3,000 stacks only {known} were still known five stacks later");
}

/// Stacks of one set push each other out, the one longest unused first.
#[test]
fn a_set_keeps_the_latest() {
    let (mut thread, home) = (Thread::new(), Made::of(&stack()));
    let set = |made: &Made| thread.loan.hold().memo().set_of(made.caller);
    let crowd: Vec<Made> = (1..)
        .map(|n| home.clone().moved_by(n * 16))
        .filter(|made| set(made) == set(&home))
        .take(super::WAYS + 1)
        .collect();
    for (made, site) in crowd.iter().zip(10..) {
        thread.learn(made, site);
        // Looked at again and again, the first stays.
        assert_eq!(thread.recognises(&crowd[0]), Some(10));
    }
    let known: Vec<_> = crowd.iter().map(|made| thread.recognises(made)).collect();
    assert_eq!(known, [Some(10), None, Some(12), Some(13), Some(14)]);
}

/// What differs between two stacks.
#[derive(Clone, Debug)]
enum Change {
    Nothing,
    Word(prop::sample::Index, u64),
    Frame(prop::sample::Index, Shape),
    Fewer(prop::sample::Index),
    Register(u64),
}

fn any_change() -> impl Strategy<Value = Change> {
    let frame = any_stack(2).prop_map(|shapes| shapes[0]);
    prop_oneof![
        Just(Change::Nothing),
        (any::<prop::sample::Index>(), any::<u64>()).prop_map(|(at, word)| Change::Word(at, word)),
        (any::<prop::sample::Index>(), frame).prop_map(|(at, shape)| Change::Frame(at, shape)),
        any::<prop::sample::Index>().prop_map(Change::Fewer),
        any::<u64>().prop_map(Change::Register),
    ]
}

fn changed(shapes: &[Shape], change: &Change) -> Made {
    let mut shapes = shapes.to_vec();
    let inner = shapes.len() - 1;
    match change {
        Change::Frame(at, shape) if inner > 0 => shapes[at.index(inner)] = *shape,
        Change::Fewer(at) if inner > 1 => drop(shapes.remove(at.index(inner))),
        _ => {}
    }
    let mut made = Made::of(&shapes);
    match change {
        Change::Word(at, word) if !made.words.is_empty() => {
            let at = at.index(made.words.len());
            *made.words.values_mut().nth(at).expect("in range") = *word;
        }
        Change::Register(fp) => made.caller.fp = *fp,
        _ => {}
    }
    made
}

proptest! {
    /// Recognised if and only if the words that a fresh walk relies on are the same; and then the
    /// frames are.
    #[test]
    #[cfg_attr(miri, ignore = "safe code, and slow there")]
    fn recognised_means_walked_the_same(shapes in any_stack(12), change in any_change()) {
        let (learnt, mut thread) = (Made::of(&shapes), Thread::new());
        prop_assume!(learnt.addresses.len() > 1);
        prop_assert!(thread.learn(&learnt, 7));
        let now = changed(&shapes, &change);
        let mut fresh = |made: &Made| {
            let (outcome, addresses, draft) = made.walk(thread.hold());
            let run = run_of(&draft);
            ((outcome, addresses), (made.caller.ra, made.caller.sp, draft.fp, run))
        };
        // A damaged stack may lead a walk astray: then the memo must not know it either.
        let walked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| fresh(&now)));
        let (found, relied) = fresh(&learnt);
        let recognised = thread.recognises(&now).is_some();
        match walked {
            Ok((found_now, relied_now)) => {
                prop_assert_eq!(recognised, relied_now == relied);
                prop_assert!(!recognised || found_now == found);
            }
            Err(_) => prop_assert!(!recognised),
        }
    }
}
