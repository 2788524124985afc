//! What an event means: the block's site, its record, the counts.
//!
//! The seams of the design meet here and nowhere else: *stack → site* ([`crate::memo`],
//! [`crate::unwind`], [`crate::sites`]), *block record* ([`crate::record`]), *counters*
//! ([`crate::counters`]), *epoch* ([`crate::state`]).

#![forbid(unsafe_code)]

pub(crate) mod sampled;

use once_cell::sync::OnceCell;

use crate::arena::{Arena, Link};
use crate::counters::{self, Surroundings};
use crate::labels::{Labels, MAX_TAGS, MAX_WORK, WorkCounters};
use crate::memo::{Context, Draft, Place};
use crate::record::{Birth, MAX_SITES, Record, SiteIndex};
use crate::registry::Registry;
use crate::sampling::table::SampleTable;
use crate::sites::{SiteTable, StackRef};
use crate::state::{Phase, State};
use crate::sync::Ordering::{Acquire, Relaxed};
use crate::sync::{AtomicU32, AtomicU64, add, fence};
use crate::threads::{self, ThreadBlock};
use crate::unwind::modules::LoadedModules;
use crate::unwind::{Caller, Outcome, StackMemory, fallback, walk};

/// Memory of everything below.
pub(crate) static ARENA: Arena = Arena::new();
/// All thread blocks.
pub(crate) static REGISTRY: Registry<ThreadBlock> = Registry::new();
/// All modules.
pub(crate) static MODULES: LoadedModules = LoadedModules::new();
/// Work counted, by number of the counter less one; cumulative over the process's life.
pub(crate) static WORK: WorkCounters = [const { AtomicU64::new(0) }; MAX_WORK];

static TABLES: Link<Tables> = Link::nothing();
static TABLES_MADE: OnceCell<&'static Tables> = OnceCell::new();
/// Events that found no thread block to be counted in, for want of memory.
pub(crate) static UNHELD: AtomicU64 = AtomicU64::new(0);

static UNWINDER: AtomicU32 = AtomicU32::new(Unwinder::EhFrame as u32);

/// The tables that exist once a recording was started.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) sites: SiteTable,
    pub(crate) tags: Labels,
    pub(crate) work: Labels,
    pub(crate) samples: SampleTable,
}

/// How stacks are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unwinder {
    /// By our own walk over the unwind tables.
    EhFrame,
    /// By the `backtrace` crate, on machines that the walk does not know.
    Backtrace,
}

/// Makes the tables at the first call; `None` without memory. Not called from the hook.
pub(crate) fn prepare(unwinder: Unwinder) -> Option<&'static Tables> {
    UNWINDER.store(unwinder as u32, Relaxed);
    let tables = TABLES_MADE.get_or_try_init(|| {
        let tables = Tables {
            sites: SiteTable::new(&ARENA, MAX_SITES).ok_or(())?,
            tags: Labels::new(&ARENA, MAX_TAGS).ok_or(())?,
            work: Labels::new(&ARENA, MAX_WORK).ok_or(())?,
            samples: SampleTable::new(&ARENA).ok_or(())?,
        };
        Ok::<_, ()>(&*Box::leak(Box::new(tables)))
    });
    let tables = *tables.ok()?;
    MODULES.refresh(&ARENA);
    TABLES.set(Some(tables));
    Some(tables)
}

/// The tables, if a recording was ever started.
pub(crate) fn tables() -> Option<&'static Tables> {
    TABLES.get()
}

fn surroundings() -> Surroundings {
    Surroundings { arena: &ARENA, work: &WORK }
}

/// Where the block counts that the hook is about to make, with the thread block held for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    block: &'static ThreadBlock,
    place: Place,
}

/// Finds out where the block counts that is about to be made. `None`: it is not counted.
///
/// What it returns must be given to [`born`] or to [`not_born`].
#[inline(always)]
pub(crate) fn expect(stack: impl StackMemory, caller: Caller) -> Option<Expected> {
    let block = hold()?;
    let context = block.memo.context(MODULES.unloads());
    let place = match block.memo.find_first(stack, caller, context) {
        Some(place) => place,
        None => locate(block, stack, context, caller.ra, caller.sp, caller.fp)?,
    };
    #[cfg(feature = "verify")]
    verify::compare(block, stack, caller, context, place);
    Some(Expected { block, place })
}

/// Out of line, with the caller in registers: the quick way must not spill it for this one.
#[inline(never)]
fn locate(
    block: &'static ThreadBlock,
    stack: impl StackMemory,
    context: Context,
    ra: u64,
    sp: u64,
    fp: u64,
) -> Option<Place> {
    let caller = Caller { ra, sp, fp };
    let known = block.memo.find_behind(stack, caller, context);
    let place = known.or_else(|| learn(block, stack, caller));
    if place.is_none() {
        block.let_go();
    }
    place
}

/// Counts the block that was expected, and says what its record is to be.
#[inline(always)]
pub(crate) fn born(expected: Expected, state: State, addr: usize, size: usize) -> Record {
    let Expected { block, place } = expected;
    if place.slot.birth_again(state, size as u64) {
        block.let_go();
        Record::new(addr, Birth { site: place.site, key: state.key() })
    } else {
        born_slowly(block, place, state, addr, size)
    }
}

/// Lets go of what was expected: the inner allocator had no memory.
pub(crate) fn not_born(expected: Expected) {
    expected.block.let_go();
}

/// Counts a birth the long way: the first at its site, or in its epoch, or larger than any.
#[cold]
#[inline(never)]
fn born_slowly(
    block: &'static ThreadBlock,
    place: Place,
    state: State,
    addr: usize,
    size: usize,
) -> Record {
    let counted = place.slot.birth(surroundings(), state, size as u64);
    add(&block.tally.uncounted, u64::from(!counted));
    block.let_go();
    if counted {
        Record::new(addr, Birth { site: place.site, key: state.key() })
    } else {
        Record::uncounted(addr)
    }
}

/// Counts the end of a block that is about to go.
///
/// The quick way needs no look at the phase: a slot's tick is the present one only while the
/// recording runs that the slot counts for.
#[inline(always)]
pub(crate) fn death(state: State, record: Record, addr: usize, size: usize) {
    let birth = record.read(addr);
    if birth.is_some_and(|birth| birth.site == SiteIndex::NONE) {
        return;
    }
    if let (Some(birth), Some(block)) = (birth, threads::own_block())
        && block.enter()
    {
        let counted = counters::death_again(&block.slots, state, birth, size as u64);
        block.leave();
        if counted {
            return;
        }
    }
    count_death(state, record, addr, size);
}

#[cold]
#[inline(never)]
fn count_death(state: State, record: Record, addr: usize, size: usize) {
    if state.phase() != Phase::Recording {
        return;
    }
    let Some(birth) = record.read(addr) else { return note_overrun() };
    if counts(state, birth) {
        with_block(|block| {
            if !counters::death(&block.slots, surroundings(), state, birth, size as u64) {
                add(&block.tally.uncounted, 1);
            }
        });
    }
}

/// Counts a block that was resized, and says what its record is to be.
pub(crate) fn resize(
    state: State,
    record: Record,
    (old_addr, old_size): (usize, usize),
    (new_addr, new_size): (usize, usize),
) -> Record {
    let Some(birth) = record.read(old_addr) else {
        note_overrun();
        return Record::uncounted(new_addr);
    };
    if counts(state, birth) {
        let (old, new) = (old_size as u64, new_size as u64);
        with_block(|block| {
            if !counters::resize(&block.slots, surroundings(), state, birth, old, new) {
                add(&block.tally.uncounted, 1);
            }
        });
    }
    Record::new(new_addr, birth)
}

/// Whether a block belongs to the recording that runs now.
#[inline]
fn counts(state: State, birth: Birth) -> bool {
    state.is_recording()
        && birth.site != SiteIndex::NONE
        && birth.key.generation() == state.key().generation()
}

/// Unwinds, interns, remembers.
#[cold]
#[inline(never)]
fn learn(block: &'static ThreadBlock, stack: impl StackMemory, caller: Caller) -> Option<Place> {
    // The tables were set before the state said so.
    fence(Acquire);
    tables()?;
    // Before any table is looked at: is it still there?
    MODULES.refresh(&ARENA);
    let context = block.memo.context(MODULES.unloads());
    block.forget_unloaded(context);
    let mut draft = block.memo.draft(caller);
    let outcome = unwind(block, stack, caller, &mut draft);
    let tally = &block.tally;
    add(&tally.misses, 1);
    add(&tally.uncacheable, u64::from(!draft.usable));
    let site = intern(block, outcome, context);
    let Some(slot) = counters::slot(&block.slots, &ARENA, site) else {
        add(&tally.uncounted, 1);
        return None;
    };
    let place = Place { site, slot };
    block.memo.commit(draft, caller, context.unloads(), place);
    Some(place)
}

fn unwind(
    block: &ThreadBlock,
    stack: impl StackMemory,
    caller: Caller,
    draft: &mut Draft<'_>,
) -> Outcome {
    if UNWINDER.load(Relaxed) == Unwinder::EhFrame as u32 {
        walk(stack, caller, &block.scratch, draft, |address| {
            block.rules.rule(address, || MODULES.rule_of(address))
        })
    } else {
        fallback::walk(&block.scratch, draft)
    }
}

/// The site of the stack that was just unwound.
fn intern(block: &ThreadBlock, outcome: Outcome, context: Context) -> SiteIndex {
    let frames = block.scratch.get(..outcome.n_frames).unwrap_or(&[]);
    let layout = MODULES.layout_of(frames);
    let stack = StackRef { frames, tag: context.tag(), truncated: outcome.truncated, layout };
    tables().map_or(SiteIndex::OVERFLOW, |tables| tables.sites.intern(&ARENA, stack))
}

/// Counts in the thread's own block, or in another if that cannot be. The recorder's threads count
/// here as well: what they free or find overrun may be the program's.
fn with_block(count: impl FnOnce(&'static ThreadBlock)) {
    let own = threads::own_block().filter(|block| block.enter());
    if let Some(block) = own.or_else(hold_other) {
        count(block);
        block.let_go();
    }
}

/// A block for the caller alone, to be let go. `None` for the recorder's own threads.
#[inline(always)]
fn hold() -> Option<&'static ThreadBlock> {
    match threads::own_block() {
        Some(block) if block.enter() => Some(block),
        _ if threads::is_internal() => None,
        _ => hold_other(),
    }
}

/// A block for a thread that has none yet, or none any more, or whose block is in use by the very
/// call that a signal handler interrupted. `None` without memory, which is counted.
#[cold]
#[inline(never)]
fn hold_other() -> Option<&'static ThreadBlock> {
    if threads::own_block().is_none()
        && let Some(block) = threads::adopt(&REGISTRY, &ARENA)
    {
        block.enter();
        return Some(block);
    }
    let Some(block) = REGISTRY.claim(&ARENA) else {
        UNHELD.fetch_add(1, Relaxed);
        return None;
    };
    block.memo.set_tag(0);
    block.enter_borrowed();
    Some(block)
}

#[cold]
fn note_overrun() {
    with_block(|block| add(&block.tally.overruns, 1));
}

/// The proof by trial: every stack that the memo recognised is unwound as well.
#[cfg(feature = "verify")]
pub mod verify {
    use super::{
        AtomicU64, Caller, Context, Place, Relaxed, StackMemory, ThreadBlock, intern, unwind,
    };

    static COMPARED: AtomicU64 = AtomicU64::new(0);
    static DIFFERENT: AtomicU64 = AtomicU64::new(0);

    /// How many sites were compared with a fresh unwind.
    pub fn n_compared() -> u64 {
        COMPARED.load(Relaxed)
    }

    /// How many of them were not the same; anything but 0 is a bug.
    pub fn n_different() -> u64 {
        DIFFERENT.load(Relaxed)
    }

    #[inline(never)]
    pub(super) fn compare(
        block: &ThreadBlock,
        stack: impl StackMemory,
        caller: Caller,
        context: Context,
        place: Place,
    ) {
        let mut draft = block.memo.draft(caller);
        let outcome = unwind(block, stack, caller, &mut draft);
        COMPARED.fetch_add(1, Relaxed);
        if intern(block, outcome, context) != place.site {
            DIFFERENT.fetch_add(1, Relaxed);
        }
    }
}
