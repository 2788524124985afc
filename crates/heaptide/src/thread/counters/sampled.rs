//! The same slots and cohorts in a sampled recording: a sampled block counts for as many as it
//! stands for, and its end takes back exactly that.

#![forbid(unsafe_code)]

use super::exact::{count_at, note_growth};
use super::own::{CountContext, OwnSlots};
use super::slot::{lower, raise};
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

/// Counts a sampled block born now; `None` if there is no memory to count it in.
pub(crate) fn count_sampled_alloc(
    own: &OwnSlots,
    context: &CountContext,
    state: State,
    site: SiteIndex,
    sample: Weighted,
    kind: AllocKind,
) -> Option<Birth> {
    let (object_variance, byte_variance) = sample.variances();
    let size = PaddableSize::new(sample.size_bytes as usize)?;
    note_growth(own, context, state, (site, size), SiteIndex::NONE);
    count_at(own, context, state, site, Birth::UNCOUNTED, |slot, memory, state| {
        let ((cohort, birth), detail) = (slot.cohort_of_made(state)?, slot.detail(memory)?);
        slot.largest.note(size);
        cohort.add_allocs(sample.weight, sample.bytes());
        add(&slot.allocs, sample.weight);
        if kind == AllocKind::Resized {
            add(&slot.reallocs, sample.weight);
        }
        add(&slot.net_bytes, sample.bytes());
        add(&detail.object_variance, object_variance);
        add(&detail.byte_variance, byte_variance);
        raise(&slot.max_objects, slot.net_objects());
        raise(&slot.max_bytes, slot.net_bytes.load(Relaxed));
        Some(birth)
    })
}

/// Counts the end of a sampled block of this recording. False without memory.
pub(crate) fn count_sampled_free(
    own: &OwnSlots,
    context: &CountContext,
    state: State,
    birth: Birth,
    sample: Weighted,
) -> bool {
    let (object_variance, byte_variance) = sample.variances();
    let _ = own.get_or_make(context, birth.site());
    let counted = count_at(own, context, state, birth.site(), (), |slot, memory, _| {
        let (cohort, detail) = (slot.cohort_of_freed(memory, birth)?, slot.detail(memory)?);
        cohort.add_frees(sample.weight, sample.bytes());
        add(&slot.frees, sample.weight);
        add(&slot.net_bytes, sample.bytes().wrapping_neg());
        add(&detail.object_variance, object_variance.wrapping_neg());
        add(&detail.byte_variance, byte_variance.wrapping_neg());
        lower(&slot.min_objects, slot.net_objects());
        lower(&slot.min_bytes, slot.net_bytes.load(Relaxed));
        Some(())
    });
    counted.is_some()
}
