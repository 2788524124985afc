//! What the hook has to know before anything else, in one word read once per call.
//!
//! | bits | what |
//! |---|---|
//! | 0–4 | [`Phase`] |
//! | 5–26 | the [`CohortKey`]: which recording and which birth bucket a block born now belongs to |
//! | 27–45 | unloads: how many modules were unloaded so far; begins again after 2^19 |
//! | 46–63 | the tick: changes with every epoch and every recording; begins again after 2^18 |
//!
//! What a thread keeps for a site ([`crate::thread::counters`]) says for which word it is valid: one
//! compare then tells that the same recording runs, that no epoch went by, and that what was
//! learned of the program's code still holds. That is the seam *epoch*.
//!
//! | from | to | when |
//! |---|---|---|
//! | undecided | off, armed or sampled-armed | the first allocation of the process; for ever |
//! | armed, sampled-armed | recording, sampling | a recording begins |
//! | recording, sampling | the same, a tick later | an epoch begins |
//! | recording, sampling | armed, sampled-armed | the recording ends; a fork, in the child |
//! | any | the same, with more unloads | a snapshot or a walk finds that a module is gone |
//!
//! Two states are never the same word, unless 2^18 epochs of one bucket lie between them: then a
//! slot that was not touched meanwhile has the ranges of the earlier epoch. When unloads
//! begin again the tick goes on by one, so that no number of unloads brings back a word; the ranges of that
//! one epoch then begin there.
//!
//! The hook reads the word once per call, relaxed: who acts on an old one counts in the epoch before,
//! which is where the event was when it began.

#![forbid(unsafe_code)]

use heaptide_format::{Bucket, Epoch};

use crate::sync::AtomicU64;
use crate::sync::Ordering::{Relaxed, Release};

/// What the shim is doing. Off is for the process's life, and so is whether every block carries a
/// trailer or some are sampled; armed and recording alternate.
///
/// Each has a bit of its own, so that the hook tests one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// No allocation has been seen yet; the environment has not been read.
    Undecided = 0,
    /// Blocks are the inner allocator's own, without a trailer.
    Off = 1,
    /// Blocks carry a trailer that says "before recording".
    Armed = 2,
    /// Blocks are recorded.
    Recording = 4,
    /// Blocks are the inner allocator's own, but for those that an earlier recording sampled.
    SampledArmed = 8,
    /// Some blocks are sampled, and those are recorded.
    Sampling = 16,
}

/// 8,191 recordings in one process: one every ten seconds for most of a day.
const GENERATION_BITS: u32 = 13;
/// As many buckets as a recording has.
const BUCKET_BITS: u32 = 9;
/// Bits of a [`CohortKey`].
pub(crate) const COHORT_KEY_BITS: u32 = GENERATION_BITS + BUCKET_BITS;
const PHASE_BITS: u32 = 5;
const KEY_SHIFT: u32 = PHASE_BITS;
const UNLOADS_SHIFT: u32 = KEY_SHIFT + COHORT_KEY_BITS;
/// What is left beside 18 bits of tick: with a snapshot every second three days.
const UNLOADS_BITS: u32 = 19;
const UNLOADS_MASK: u32 = (1 << UNLOADS_BITS) - 1;
const TICK_SHIFT: u32 = UNLOADS_SHIFT + UNLOADS_BITS;

const _: () = assert!(heaptide_format::BUCKETS <= 1 << BUCKET_BITS);

/// How many recordings one process can make: a block must never be taken for another recording's.
pub(crate) const MAX_GENERATION: u32 = (1 << GENERATION_BITS) - 1;

/// Recording and birth bucket of a block. The generation is never 0, so no key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CohortKey(pub(crate) u32);

impl CohortKey {
    pub(crate) fn new(generation: u32, bucket: Bucket) -> Self {
        Self((generation & MAX_GENERATION) << BUCKET_BITS | bucket.0 & ((1 << BUCKET_BITS) - 1))
    }

    #[inline]
    pub(crate) fn generation(self) -> u32 {
        self.0 >> BUCKET_BITS
    }

    #[inline]
    pub(crate) fn bucket(self) -> Bucket {
        Bucket(self.0 & ((1 << BUCKET_BITS) - 1))
    }
}

/// The word, as read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State(u64);

impl State {
    #[inline]
    pub(crate) fn phase(self) -> Phase {
        match self.0 & ((1 << PHASE_BITS) - 1) {
            0 => Phase::Undecided,
            1 => Phase::Off,
            2 => Phase::Armed,
            4 => Phase::Recording,
            8 => Phase::SampledArmed,
            _ => Phase::Sampling,
        }
    }

    /// Whether the phase is not [`Phase::Undecided`] any more.
    #[inline(always)]
    pub(crate) fn is_decided(self) -> bool {
        self.0 != 0
    }

    /// Whether this, which is not [`Phase::Undecided`], is the phase.
    #[inline(always)]
    pub(crate) fn is(self, phase: Phase) -> bool {
        self.0 & phase as u64 != 0
    }

    /// Whether a recording runs.
    #[inline(always)]
    pub(crate) fn is_recording(self) -> bool {
        self.0 & (Phase::Recording as u64 | Phase::Sampling as u64) != 0
    }

    /// Whether this process samples, now or when it records.
    #[inline(always)]
    pub(crate) fn is_sampled(self) -> bool {
        self.0 & (Phase::SampledArmed as u64 | Phase::Sampling as u64) != 0
    }

    #[inline]
    pub(crate) fn key(self) -> CohortKey {
        CohortKey((self.0 >> KEY_SHIFT) as u32 & ((1 << COHORT_KEY_BITS) - 1))
    }

    /// How many modules were unloaded, of the last 2^19.
    fn unloads(self) -> u32 {
        (self.0 >> UNLOADS_SHIFT) as u32 & UNLOADS_MASK
    }

    #[inline]
    pub(crate) fn tick(self) -> u32 {
        (self.0 >> TICK_SHIFT) as u32
    }

    /// For a cell that holds the word; zero is no state in which anything counts.
    #[inline]
    pub(crate) fn to_bits(self) -> u64 {
        self.0
    }

    #[inline]
    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The same in no phase: equal to no state of a process that decided on one.
    pub(crate) fn without_phase(self) -> Self {
        Self(self.0 & !((1 << PHASE_BITS) - 1))
    }

    /// The next state: in this phase, under this key, a tick later.
    fn next(self, phase: Phase, key: Option<CohortKey>) -> Self {
        let tick = u64::from(self.tick().wrapping_add(1)) << TICK_SHIFT;
        let unloads = u64::from(self.unloads()) << UNLOADS_SHIFT;
        Self(tick | unloads | u64::from(key.map_or(0, |key| key.0)) << KEY_SHIFT | phase as u64)
    }
}

/// The cell that holds the word. One per process ([`crate::globals::STATE`]); tests make their own.
#[derive(Debug)]
pub(crate) struct StateCell(AtomicU64);

impl StateCell {
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    #[inline(always)]
    pub(crate) fn load(&self) -> State {
        State(self.0.load(Relaxed))
    }

    /// Leaves [`Phase::Undecided`], once; later calls change nothing.
    pub(crate) fn decide(&self, phase: Phase) {
        let decided = State(1 << TICK_SHIFT | phase as u64).0;
        // Losing the race means another thread decided, from the same environment.
        let _ = self.0.compare_exchange(0, decided, Relaxed, Relaxed);
    }

    /// Starts counting under `generation`, at epoch 0.
    pub(crate) fn begin(&self, generation: u32) {
        let key = CohortKey::new(generation, Bucket::of(Epoch(0)));
        self.update(|now| {
            let phase = if now.is_sampled() { Phase::Sampling } else { Phase::Recording };
            Some(now.next(phase, Some(key)))
        });
    }

    /// Moves on to `epoch`.
    pub(crate) fn advance(&self, epoch: Epoch) {
        self.update(|now| {
            let key = CohortKey::new(now.key().generation(), Bucket::of(epoch));
            // In a forked child the state was set back to armed; it must stay so.
            now.is_recording().then_some(now.next(now.phase(), Some(key)))
        });
    }

    /// Back to armed: at the end of a recording, and in a forked child.
    pub(crate) fn end(&self) {
        self.update(|now| {
            let armed = if now.is_sampled() { Phase::SampledArmed } else { Phase::Armed };
            now.is_recording().then_some(now.next(armed, None))
        });
    }

    /// Modules were unloaded, `unloads` of them so far. Fewer than are noted say nothing.
    pub(crate) fn note_unloads(&self, unloads: u32) {
        self.update(|now| {
            let more = unloads.wrapping_sub(now.unloads()) & UNLOADS_MASK;
            // From the last number on to the tick.
            let next = State(now.0.wrapping_add(u64::from(more) << UNLOADS_SHIFT));
            (1..=UNLOADS_MASK / 2).contains(&more).then_some(next)
        });
    }

    fn update(&self, next: impl Fn(State) -> Option<State>) {
        // Losing every race is no matter: the loser looks at what the winner wrote.
        let _ = self.0.fetch_update(Release, Relaxed, |now| next(State(now)).map(|next| next.0));
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Recordings and epochs are told apart, and the layout of blocks never changes.
    fn check(armed: Phase, recording: Phase) {
        let cell = StateCell::new();
        assert_eq!(cell.load().phase(), Phase::Undecided);
        cell.decide(armed);
        cell.decide(Phase::Off);
        assert_eq!(cell.load().phase(), armed);
        let mut ticks = vec![cell.load().tick()];
        for generation in [1, 2] {
            cell.begin(generation);
            assert_eq!(cell.load().phase(), recording);
            ticks.push(cell.load().tick());
            for epoch in 1..200 {
                cell.advance(Epoch(epoch));
                assert_eq!(cell.load().phase(), recording);
                assert_eq!(cell.load().key().generation(), generation);
                assert_eq!(cell.load().key().bucket(), Bucket::of(Epoch(epoch)));
                ticks.push(cell.load().tick());
            }
            cell.end();
            assert_eq!(cell.load().phase(), armed);
            ticks.push(cell.load().tick());
        }
        let all = ticks.len();
        ticks.dedup();
        assert_eq!(ticks.len(), all);
    }

    #[test]
    fn a_recording_is_told_from_the_next_and_an_epoch_from_the_next() {
        check(Phase::Armed, Phase::Recording);
        check(Phase::SampledArmed, Phase::Sampling);
    }

    #[test]
    fn unloads_are_counted_beside_everything_else() {
        let cell = StateCell::new();
        cell.decide(Phase::Armed);
        let check = |unloads: u32, is_new: bool, ticks: u32| {
            let before = cell.load();
            cell.note_unloads(unloads);
            let after = cell.load();
            assert_eq!(before != after, is_new, "{unloads}");
            assert_eq!((after.phase(), after.key()), (before.phase(), before.key()));
            assert_eq!(after.tick(), before.tick() + ticks);
        };
        check(1, true, 0);
        cell.begin(7);
        check(2, true, 0);
        check(1, false, 0);
        check(2, false, 0);
        cell.advance(Epoch(9));
        assert_eq!(cell.load().unloads(), 2);
        check(UNLOADS_MASK / 2, true, 0);
        check(UNLOADS_MASK - 1, true, 0);
        check(UNLOADS_MASK, true, 0);
        cell.end();
        assert_eq!(cell.load().unloads(), UNLOADS_MASK);
        // The numbers begin again, and so do those of the process.
        check(UNLOADS_MASK + 1, true, 1);
        check(UNLOADS_MASK, false, 0);
        check(UNLOADS_MASK + 4, true, 0);
        assert_eq!(cell.load().unloads(), 3);
    }

    /// However many unloads, as long as no epoch goes by.
    #[test]
    fn no_number_of_unloads_brings_back_a_state() {
        let cell = StateCell::new();
        cell.decide(Phase::Armed);
        cell.begin(7);
        let first = cell.load();
        for unloads in (0..5 * (UNLOADS_MASK + 1)).step_by(1 << 10).skip(1) {
            cell.note_unloads(unloads);
            assert_ne!(cell.load(), first, "after {unloads}");
        }
    }

    #[test]
    fn a_stopped_state_does_not_start_again_by_advancing() {
        let cell = StateCell::new();
        cell.decide(Phase::Armed);
        cell.advance(Epoch(1));
        assert_eq!(cell.load().phase(), Phase::Armed);
    }
}
