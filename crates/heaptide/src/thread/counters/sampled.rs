//! The same slots and cohorts in a sampled recording: a sampled block counts for as many as it
//! stands for, and its end takes back exactly that.

#![forbid(unsafe_code)]

use super::slot::{CountContext, SiteSlot, SlotChunks, lower, raise, valid_slot};
use crate::shared::state::State;
use crate::shared::trailer::{Birth, PaddableSize, SiteIndex};
use crate::sync::Ordering::Relaxed;
use crate::sync::add;

/// What a sampled block counts for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weighted {
    /// For how many blocks it stands,
    pub(crate) weight: u64,
    /// each of so many bytes.
    pub(crate) size_bytes: u64,
}

impl Weighted {
    fn bytes(self) -> u64 {
        self.weight.wrapping_mul(self.size_bytes)
    }

    /// Its share of the variances of live objects and bytes ([`crate::thread::sampler`]).
    fn variances(self) -> (u64, u64) {
        let objects = self.weight.wrapping_mul(self.weight.wrapping_sub(1));
        let square = self.size_bytes.wrapping_mul(self.size_bytes);
        (objects, square.wrapping_mul(objects))
    }
}

/// How a sampled block came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AllocKind {
    New,
    Resized,
}

impl SiteSlot {
    /// Counts a sampled block born now; `None` if there is no memory to count it in.
    pub(crate) fn count_sampled_alloc(
        &self,
        context: CountContext,
        state: State,
        sample: Weighted,
        kind: AllocKind,
    ) -> Option<Birth> {
        self.make_valid_for(context.arena, state)?;
        let (cohort, detail) = (self.alloc_cohort.get()?, self.detail(context.arena)?);
        let (object_variance, byte_variance) = sample.variances();
        cohort.add_allocs(sample.weight, sample.bytes());
        add(&self.allocs, sample.weight);
        if kind == AllocKind::Resized {
            add(&self.reallocs, sample.weight);
        }
        add(&self.net_bytes, sample.bytes());
        add(&detail.object_variance, object_variance);
        add(&detail.byte_variance, byte_variance);
        raise(&self.max_objects, self.net_objects());
        raise(&self.max_bytes, self.net_bytes.load(Relaxed));
        if let Some(size) = PaddableSize::new(sample.size_bytes as usize) {
            self.note_size(context, state.key().bucket(), size, SiteIndex::NONE);
        }
        Some(Birth::from_bits(self.alloc_birth.load(Relaxed)))
    }
}

/// Counts the end of a sampled block of this recording. False without memory.
pub(crate) fn count_sampled_free(
    chunks: &SlotChunks,
    context: CountContext,
    state: State,
    birth: Birth,
    sample: Weighted,
) -> bool {
    let Some(slot) = valid_slot(chunks, context, state, birth.site()) else { return false };
    let Some(cohort) = slot.cohort_of_freed(context.arena, birth) else { return false };
    let Some(detail) = slot.detail(context.arena) else { return false };
    let (object_variance, byte_variance) = sample.variances();
    cohort.add_frees(sample.weight, sample.bytes());
    add(&slot.frees, sample.weight);
    add(&slot.net_bytes, sample.bytes().wrapping_neg());
    add(&detail.object_variance, object_variance.wrapping_neg());
    add(&detail.byte_variance, byte_variance.wrapping_neg());
    lower(&slot.min_objects, slot.net_objects());
    lower(&slot.min_bytes, slot.net_bytes.load(Relaxed));
    true
}
