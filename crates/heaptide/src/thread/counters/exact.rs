//! Counting blocks one by one, in a slot of the thread's own or in one that threads share.

#![forbid(unsafe_code)]

use super::growth::{GROWTH_FLOOR_BYTES, is_growth};
use super::own::{CountContext, OwnSlots};
use super::shared::ClaimedSlot;
use super::slot::{SiteSlot, SlotMemory};
use crate::shared::state::State;
use crate::shared::trailer::{Birth, PaddableSize, SiteIndex};

/// Counts at `site`, in the thread's own slot, or in a shared one if it has none or there is no more
/// memory for its own; `None` without memory. `count` is given a slot, which if memory allows is valid for
/// the state, and counts everything or nothing. `lapsed` is for a recording that ended meanwhile.
///
/// The recorder is told that the site changed, unless that was done when the thread's own slot was made valid
/// for the state: later counts need not, the quick ones above all.
pub(super) fn count_at<R>(
    own: &OwnSlots,
    context: &CountContext,
    state: State,
    site: SiteIndex,
    lapsed: R,
    count: impl Fn(&SiteSlot, SlotMemory, State) -> Option<R>,
) -> Option<R> {
    let is_noted = own.get(site).is_some_and(|slot| slot.is_valid_for(state));
    let counted = count_in_slot(own, context, state, site, lapsed, count);
    if !is_noted {
        context.changes.note(site);
    }
    counted
}

fn count_in_slot<R>(
    own: &OwnSlots,
    context: &CountContext,
    state: State,
    site: SiteIndex,
    lapsed: R,
    count: impl Fn(&SiteSlot, SlotMemory, State) -> Option<R>,
) -> Option<R> {
    if let Some(slot) = own.get(site) {
        slot.belong_to(site);
        let memory = context.own_memory();
        if slot.make_valid_for(memory, state).is_none() && move_oldest(slot, context, state) {
            let _ = slot.make_valid_for(memory, state);
        }
        if let Some(counted) = count(slot, memory, state) {
            return Some(counted);
        }
        if move_oldest(slot, context, state)
            && let Some(counted) = count(slot, memory, state)
        {
            return Some(counted);
        }
    }
    let claimed = context.shared.claim(context.arena, site)?;
    let Some((slot, now)) = current(&claimed, context, state) else { return Some(lapsed) };
    count(slot, context.shared_memory(), now)
}

/// A shared slot, and the state as it is now, for which it is valid if memory allows; `None` if that is
/// not of the recording of `state`.
///
/// Whoever had the slot before may have counted there under a later state than ours, and a slot must not go
/// back: the state read while the slot is held is no earlier.
fn current(
    claimed: &ClaimedSlot,
    context: &CountContext,
    state: State,
) -> Option<(&'static SiteSlot, State)> {
    let (slot, now) = (claimed.slot(), context.state.load());
    if !now.is_recording() || now.key().generation() != state.key().generation() {
        return None;
    }
    let _ = slot.make_valid_for(context.shared_memory(), now);
    Some((slot, now))
}

/// Moves the oldest cohort of a thread's own slot to a shared one, so that another finds room; whether one
/// was moved.
///
/// So a thread has counters of a few buckets at each site, however long the recording; those of all
/// buckets the site has once.
#[cold]
fn move_oldest(slot: &SiteSlot, context: &CountContext, state: State) -> bool {
    let Some(oldest) = slot.oldest_cohort(state) else { return false };
    let Some(claimed) = context.shared.claim(context.arena, slot.site()) else { return false };
    let Some((shared, _)) = current(&claimed, context, state) else { return false };
    let Some(to) = shared.cohort_of(context.shared_memory(), state, oldest.bucket()) else {
        return false;
    };
    slot.forget_last_freed();
    claimed.moves().move_counts(oldest, to);
    true
}

/// Counts a block born now; `None` if there is no memory to count it in.
pub(crate) fn count_alloc_slow(
    own: &OwnSlots,
    context: &CountContext,
    state: State,
    site: SiteIndex,
    size: PaddableSize,
) -> Option<Birth> {
    note_growth(own, context, state, (site, size), SiteIndex::NONE);
    count_at(own, context, state, site, Birth::UNCOUNTED, |slot, _, state| {
        slot.count_alloc(state, size)
    })
}

/// Counts the end of a block of `bytes`, if nothing but counting is to be done; says whether it
/// was.
#[inline(always)]
pub(crate) fn count_free_fast(own: &OwnSlots, state: State, birth: Birth, bytes: u64) -> bool {
    own.get(birth.site()).is_some_and(|slot| slot.count_free_fast(state, birth, bytes))
}

/// Counts the end of a block of `bytes` of this recording, whose trailer is `birth`. False without
/// memory.
pub(crate) fn count_free_slow(
    own: &OwnSlots,
    context: &CountContext,
    state: State,
    birth: Birth,
    bytes: u64,
) -> bool {
    // What a thread only frees may be often enough for a slot, too.
    let _ = own.get_or_make(context, birth.site());
    let counted = count_at(own, context, state, birth.site(), (), |slot, memory, _| {
        let cohort = slot.cohort_of_freed(memory, birth)?;
        slot.add_free(cohort, bytes);
        Some(())
    });
    counted.is_some()
}

/// Whether a block that is resized to `bytes` outgrows all that is known at its site by as much as makes
/// an event, so that it is worth knowing who resized it.
#[inline]
pub(crate) fn outgrows_all(
    own: &OwnSlots,
    context: &CountContext,
    state: State,
    site: SiteIndex,
    bytes: u64,
) -> bool {
    if bytes < GROWTH_FLOOR_BYTES {
        return false;
    }
    // What an earlier recording counted there is void.
    let generation = state.key().generation();
    let own = own.get(site).filter(|slot| slot.generation() == generation);
    own.is_none_or(|slot| slot.largest.bytes() < bytes)
        && is_growth(bytes, context.shared.last_growth_bytes(site, generation))
}

/// Counts a block that was resized, at `grown_at` if it outgrew all before it: it keeps its site and
/// its birth. False without memory.
pub(crate) fn count_resize(
    own: &OwnSlots,
    context: &CountContext,
    state: State,
    (birth, old_bytes): (Birth, u64),
    new_size: PaddableSize,
    grown_at: SiteIndex,
) -> bool {
    let site = birth.site();
    let _ = own.get_or_make(context, site);
    note_growth(own, context, state, (site, new_size), grown_at);
    let counted = count_at(own, context, state, site, (), |slot, memory, _| {
        slot.count_resize(slot.cohort_of_freed(memory, birth)?, old_bytes, new_size);
        Some(())
    });
    counted.is_some()
}

/// Notes that a block outgrows all before it at its site, if it does. Before it is counted: whoever has seen
/// all events has seen what grew.
///
/// It is noted for the site, not for each thread: it takes room, and the recorder asks no more. Without
/// memory nobody learns of it, but how large the block is.
pub(super) fn note_growth(
    own: &OwnSlots,
    context: &CountContext,
    state: State,
    (site, size): (SiteIndex, PaddableSize),
    grown_at: SiteIndex,
) {
    let bytes = size.bytes() as u64;
    if !outgrows_all(own, context, state, site, bytes) {
        return;
    }
    let Some(claimed) = context.shared.claim(context.arena, site) else { return };
    let Some((slot, now)) = current(&claimed, context, state) else { return };
    if let Some(ring) = slot.growth_or_make(context.shared_memory(), now) {
        ring.push(now.key().bucket(), bytes, grown_at, context.work);
    }
}
