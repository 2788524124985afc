//! The rule of one code address, in eight bytes, and the cache of such rules.

#![forbid(unsafe_code)]

use crate::shared::arena::zeroed;
use crate::sync::AtomicU64;
use crate::sync::Ordering::Relaxed;

/// How to step out of a frame whose code stands at some address.
///
/// The canonical frame address (CFA) is the stack pointer before the call that made the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// An ordinary frame. Distances are in words of eight bytes.
    Frame {
        /// What the CFA is measured from.
        base: Base,
        /// CFA less base.
        cfa_words: u32,
        /// Where the return address is kept, from the CFA.
        ra_words: i16,
        /// Where the caller's base pointer is kept, from the CFA; `None`: still in its register.
        fp_words: Option<i16>,
        /// What the saved return address points to.
        resumes: Resumes,
    },
    /// The outermost frame: it has no caller.
    Root,
    /// The frame that the kernel makes for a signal handler: its code is the restorer, which
    /// [`super::arch::Arch::is_restorer`] knows.
    Signal,
    /// The tables say nothing, or something that these rules cannot express.
    Unknown,
}

/// The register that a frame's extent is measured from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    /// The stack pointer.
    Sp,
    /// The base pointer (`rbp`, `x29`).
    Fp,
}

/// Where a frame's caller goes on, and so what the tables are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resumes {
    /// After a call: the call lies before the address, and at the address another function may
    /// begin, if the call does not return.
    AfterCall,
    /// At this very instruction. The tables say so by the augmentation `S` (`.cfi_signal_frame`),
    /// and it means no more than that: trampolines of coroutines use it too.
    AtAddress,
}

const ABSENT: u64 = 0;
const FRAME: u64 = 1;
const ROOT: u64 = 2;
const SIGNAL: u64 = 3;
const UNKNOWN: u64 = 4;
const BASE_FP: u64 = 1 << 3;
const SAVES_FP: u64 = 1 << 4;
const AT_ADDRESS: u64 = 1 << 5;
const CFA_SHIFT: u32 = 8;
const CFA_BITS: u32 = 24;
const RA_SHIFT: u32 = 32;
const FP_SHIFT: u32 = 48;

impl Rule {
    /// An ordinary frame from byte distances, or [`Rule::Unknown`] if they do not fit.
    pub(crate) fn frame(base: Base, cfa: i64, ra: i64, fp: Option<i64>) -> Self {
        let words = |bytes: i64| (bytes % 8 == 0).then_some(bytes / 8);
        let short = |bytes: i64| words(bytes).and_then(|words| i16::try_from(words).ok());
        let cfa_words = words(cfa).and_then(|words| u32::try_from(words).ok());
        let cfa_words = cfa_words.filter(|words| words >> CFA_BITS == 0);
        let fp_words = match fp {
            Some(fp) => short(fp).map(Some),
            None => Some(None),
        };
        match (cfa_words, short(ra), fp_words) {
            (Some(cfa_words), Some(ra_words), Some(fp_words)) => {
                let resumes = Resumes::AfterCall;
                Self::Frame { base, cfa_words, ra_words, fp_words, resumes }
            }
            _ => Self::Unknown,
        }
    }

    /// The same frame, whose caller goes on as said.
    pub(crate) fn resuming(self, resumes: Resumes) -> Self {
        match self {
            Self::Frame { base, cfa_words, ra_words, fp_words, .. } => {
                Self::Frame { base, cfa_words, ra_words, fp_words, resumes }
            }
            other => other,
        }
    }

    fn to_bits(self) -> u64 {
        match self {
            Self::Frame { base, cfa_words, ra_words, fp_words, resumes } => {
                let fp = fp_words
                    .map_or(0, |words| SAVES_FP | u64::from(words.cast_unsigned()) << FP_SHIFT);
                let base = if base == Base::Fp { BASE_FP } else { 0 };
                let ra = u64::from(ra_words.cast_unsigned()) << RA_SHIFT;
                let resumes = if resumes == Resumes::AtAddress { AT_ADDRESS } else { 0 };
                FRAME | base | fp | resumes | ra | u64::from(cfa_words) << CFA_SHIFT
            }
            Self::Root => ROOT,
            Self::Signal => SIGNAL,
            Self::Unknown => UNKNOWN,
        }
    }

    #[inline]
    fn from_bits(bits: u64) -> Option<Self> {
        let short = |shift: u32| ((bits >> shift) as u16).cast_signed();
        Some(match bits & 7 {
            ABSENT => return None,
            FRAME => Self::Frame {
                base: if bits & BASE_FP == 0 { Base::Sp } else { Base::Fp },
                cfa_words: (bits >> CFA_SHIFT) as u32 & ((1 << CFA_BITS) - 1),
                ra_words: short(RA_SHIFT),
                fp_words: (bits & SAVES_FP != 0).then(|| short(FP_SHIFT)),
                resumes: if bits & AT_ADDRESS == 0 {
                    Resumes::AfterCall
                } else {
                    Resumes::AtAddress
                },
            },
            ROOT => Self::Root,
            SIGNAL => Self::Signal,
            _ => Self::Unknown,
        })
    }
}

/// Rules that a thread keeps: a few times the call sites on the stacks of a service's hot paths, in
/// 16 KiB. One that is missing costs a few microseconds, not a wrong stack.
const RULES: usize = 1024;
/// With one place for each address, two on one stack that hash alike would evict each other at every
/// walk.
const WAYS: usize = 2;

zeroed! {
    /// Rules of code addresses that one thread met; only that thread reads or writes it.
    #[derive(Debug)]
    pub(crate) struct RuleCache {
        addresses: [AtomicU64; RULES],
        rules: [AtomicU64; RULES],
    }
}

impl RuleCache {
    /// The rule of `address`, from the cache or else from `compile`, which is then kept.
    #[inline]
    pub(crate) fn rule(&self, address: u64, compile: impl FnOnce() -> Rule) -> Rule {
        let first = slot(address);
        for way in 0..WAYS {
            let (Some(known), Some(rule)) =
                (self.addresses.get(first + way), self.rules.get(first + way))
            else {
                break;
            };
            if known.load(Relaxed) == address
                && let Some(rule) = Rule::from_bits(rule.load(Relaxed))
            {
                return rule;
            }
        }
        self.keep(address, compile())
    }

    /// Forgets everything: modules were unloaded.
    pub(crate) fn clear(&self) {
        for rule in &self.rules {
            rule.store(ABSENT, Relaxed);
        }
    }

    #[cold]
    fn keep(&self, address: u64, rule: Rule) -> Rule {
        let first = slot(address);
        // The newest goes first; what was first becomes second; what was second is forgotten.
        for table in [&self.addresses, &self.rules] {
            if let Some([first, second]) = table.get(first..first + WAYS) {
                second.store(first.load(Relaxed), Relaxed);
            }
        }
        if let (Some(at), Some(bits)) = (self.addresses.get(first), self.rules.get(first)) {
            at.store(address, Relaxed);
            bits.store(rule.to_bits(), Relaxed);
        }
        rule
    }
}

#[inline]
fn slot(address: u64) -> usize {
    let mixed = address.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> (64 - (RULES / WAYS).ilog2())) as usize * WAYS
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn check(rule: Rule) {
        assert_eq!(Rule::from_bits(rule.to_bits()), Some(rule));
    }

    #[test]
    fn rules_survive_packing() {
        check(Rule::Root);
        check(Rule::Signal);
        check(Rule::Unknown);
        for base in [Base::Sp, Base::Fp] {
            for cfa in [8, 16, 4096, (1 << 26) - 8] {
                for fp in [None, Some(-16), Some(-4096), Some(64)] {
                    let rule = Rule::frame(base, cfa, -8, fp);
                    assert!(matches!(rule, Rule::Frame { .. }), "{cfa} {fp:?}");
                    check(rule);
                    check(rule.resuming(Resumes::AtAddress));
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_unknown() {
        assert_eq!(Rule::frame(Base::Sp, 12, -8, None), Rule::Unknown);
        assert_eq!(Rule::frame(Base::Sp, -8, -8, None), Rule::Unknown);
        assert_eq!(Rule::frame(Base::Sp, 1 << 27, -8, None), Rule::Unknown);
        assert_eq!(Rule::frame(Base::Sp, 16, -8, Some(1 << 30)), Rule::Unknown);
    }

    #[test]
    fn the_cache_asks_once_while_it_remembers() {
        let cache: Box<RuleCache> = Box::new(RuleCache {
            addresses: [const { AtomicU64::new(0) }; RULES],
            rules: [const { AtomicU64::new(0) }; RULES],
        });
        let rule = Rule::frame(Base::Sp, 32, -8, None);
        assert_eq!(cache.rule(0x1000, || rule), rule);
        assert_eq!(cache.rule(0x1000, || panic!("asked twice")), rule);
        cache.clear();
        assert_eq!(cache.rule(0x1000, || Rule::Root), Rule::Root);
    }
}
