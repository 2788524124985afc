//! What the hook has to know before anything else, in one word read once per call.
//!
//! | bits | what |
//! |---|---|
//! | 0–2 | [`Phase`] |
//! | 3–24 | the [`Key`]: which recording and which birth bucket a block born now belongs to |
//! | 32–63 | the tick: changes with every epoch and every recording |
//!
//! The tick lets a counter slot notice with one compare that an epoch or a recording went by.

#![forbid(unsafe_code)]

use heaptide_format::{Bucket, Epoch};

use crate::sync::{AtomicU64, Ordering};

/// What the shim is doing. Off is for the process's life, and so is whether every block carries a
/// record or some are sampled; armed and recording alternate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// No allocation has been seen yet; the environment has not been read.
    Undecided,
    /// Blocks are the inner allocator's own, without a record.
    Off,
    /// Blocks carry a record that says "before recording".
    Armed,
    /// Blocks are recorded.
    Recording,
    /// Blocks are the inner allocator's own, but for those that an earlier recording sampled.
    SampledArmed,
    /// Some blocks are sampled, and those are recorded.
    Sampling,
}

const GENERATION_BITS: u32 = 13;
const BUCKET_BITS: u32 = 9;
/// Bits of a [`Key`].
pub(crate) const KEY_BITS: u32 = GENERATION_BITS + BUCKET_BITS;
const PHASE_BITS: u32 = 3;
const KEY_SHIFT: u32 = PHASE_BITS;
const TICK_SHIFT: u32 = 32;

const _: () = assert!(heaptide_format::BUCKETS <= 1 << BUCKET_BITS);

/// How many recordings one process can make: a block must never be taken for another recording's.
pub(crate) const MAX_GENERATION: u32 = (1 << GENERATION_BITS) - 1;

/// Recording and birth bucket of a block. The generation is never 0, so no key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(pub(crate) u32);

impl Key {
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
#[derive(Clone, Copy, Debug)]
pub(crate) struct State(u64);

impl State {
    #[inline]
    pub(crate) fn phase(self) -> Phase {
        match self.0 & ((1 << PHASE_BITS) - 1) {
            0 => Phase::Undecided,
            1 => Phase::Off,
            2 => Phase::Armed,
            3 => Phase::Recording,
            4 => Phase::SampledArmed,
            _ => Phase::Sampling,
        }
    }

    /// Whether a recording runs.
    #[inline]
    pub(crate) fn is_recording(self) -> bool {
        matches!(self.phase(), Phase::Recording | Phase::Sampling)
    }

    #[inline]
    pub(crate) fn key(self) -> Key {
        Key((self.0 >> KEY_SHIFT) as u32 & ((1 << KEY_BITS) - 1))
    }

    #[inline]
    pub(crate) fn tick(self) -> u32 {
        (self.0 >> TICK_SHIFT) as u32
    }

    fn idle(phase: Phase, tick: u32) -> Self {
        Self(u64::from(tick) << TICK_SHIFT | phase as u64)
    }

    fn recording(phase: Phase, key: Key, tick: u32) -> Self {
        Self(u64::from(tick) << TICK_SHIFT | u64::from(key.0) << KEY_SHIFT | phase as u64)
    }
}

/// The cell that holds the word. One per process ([`crate::allocator::STATE`]); tests make their own.
#[derive(Debug)]
pub(crate) struct StateCell(AtomicU64);

impl StateCell {
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    #[inline(always)]
    pub(crate) fn load(&self) -> State {
        State(self.0.load(Ordering::Relaxed))
    }

    /// Leaves [`Phase::Undecided`], once; later calls change nothing.
    pub(crate) fn decide(&self, phase: Phase) {
        let decided = State::idle(phase, 1).0;
        // Losing the race means another thread decided, from the same environment.
        let _ = self.0.compare_exchange(0, decided, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Starts counting under `generation`, at epoch 0. Only the recorder calls this.
    pub(crate) fn begin(&self, generation: u32) {
        let key = Key::new(generation, Bucket::of(Epoch(0)));
        let now = self.load();
        let phase = match now.phase() {
            Phase::SampledArmed | Phase::Sampling => Phase::Sampling,
            _ => Phase::Recording,
        };
        self.0.store(State::recording(phase, key, now.tick().wrapping_add(1)).0, Ordering::Release);
    }

    /// Moves on to `epoch`. Only the recorder calls this.
    pub(crate) fn advance(&self, epoch: Epoch) {
        let now = self.load();
        let key = Key::new(now.key().generation(), Bucket::of(epoch));
        let next = State::recording(now.phase(), key, now.tick().wrapping_add(1));
        // In a forked child the state was set back to armed; it must stay so.
        if now.is_recording() {
            self.0.store(next.0, Ordering::Release);
        }
    }

    /// Back to armed: at the end of a recording, and in a forked child.
    pub(crate) fn end(&self) {
        let now = self.load();
        let armed = match now.phase() {
            Phase::Recording => Phase::Armed,
            Phase::Sampling => Phase::SampledArmed,
            _ => return,
        };
        self.0.store(State::idle(armed, now.tick().wrapping_add(1)).0, Ordering::Release);
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
    fn a_stopped_state_does_not_start_again_by_advancing() {
        let cell = StateCell::new();
        cell.decide(Phase::Armed);
        cell.advance(Epoch(1));
        assert_eq!(cell.load().phase(), Phase::Armed);
    }
}
