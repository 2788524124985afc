//! What an event means: the block's site, its record, the counts.
//!
//! The seams of the design meet here and nowhere else: *stack → site* ([`crate::memo`],
//! [`crate::unwind`], [`crate::sites`]), *block record* ([`crate::record`]), *counters*
//! ([`crate::counters`]), *epoch* ([`crate::state`]).

#![forbid(unsafe_code)]

use once_cell::sync::OnceCell;

use crate::arena::{Arena, Link};
use crate::counters::{self, Surroundings};
use crate::labels::{Labels, MAX_TAGS, MAX_WORK, WorkCounters};
use crate::memo::Context;
use crate::record::{Birth, MAX_SITES, Record, SiteIndex};
use crate::sites::{SiteTable, StackRef};
use crate::state::{Phase, State};
use crate::sync::Ordering::Relaxed;
use crate::sync::{AtomicU32, AtomicU64, add};
use crate::threads::{self, Registry, ThreadBlock};
use crate::unwind::modules::LoadedModules;
use crate::unwind::{Caller, StackMemory, fallback, walk};

/// Memory of everything below.
pub(crate) static ARENA: Arena = Arena::new();
/// All thread blocks.
pub(crate) static REGISTRY: Registry = Registry::new();
/// All modules.
pub(crate) static MODULES: LoadedModules = LoadedModules::new();
/// Work counted, by number of the counter less one; cumulative over the process's life.
pub(crate) static WORK: WorkCounters = [const { AtomicU64::new(0) }; MAX_WORK];

static TABLES: Link<Tables> = Link::nothing();
static TABLES_MADE: OnceCell<&'static Tables> = OnceCell::new();
static UNWINDER: AtomicU32 = AtomicU32::new(Unwinder::EhFrame as u32);

/// The tables that exist once a recording was started.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) sites: SiteTable,
    pub(crate) tags: Labels,
    pub(crate) work: Labels,
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

/// Counts a block that was just made, and says what its record is to be.
#[inline]
pub(crate) fn birth(
    stack: &impl StackMemory,
    state: State,
    caller: Caller,
    addr: usize,
    size: usize,
) -> Record {
    match threads::own_block() {
        Some(block) if block.enter() => {
            let record = birth_in(block, stack, state, caller, addr, size);
            block.leave();
            record
        }
        _ => with_other_block(|block| birth_in(block, stack, state, caller, addr, size))
            .unwrap_or(Record::uncounted(addr)),
    }
}

/// Counts the end of a block that is about to go.
#[inline]
pub(crate) fn death(state: State, record: Record, addr: usize, size: usize) {
    if state.phase() != Phase::Recording {
        return;
    }
    let Some(birth) = record.read(addr) else { return note_overrun() };
    if !counts(state, birth) {
        return;
    }
    let count = |block: &ThreadBlock| {
        if !counters::death(&block.slots, surroundings(), state, birth, size as u64) {
            add(&block.tally.uncounted, 1);
        }
    };
    match threads::own_block() {
        Some(block) if block.enter() => {
            count(block);
            block.leave();
        }
        _ => drop(with_other_block(count)),
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
        let count = |block: &ThreadBlock| {
            let (old, new) = (old_size as u64, new_size as u64);
            if !counters::resize(&block.slots, surroundings(), state, birth, old, new) {
                add(&block.tally.uncounted, 1);
            }
        };
        match threads::own_block() {
            Some(block) if block.enter() => {
                count(block);
                block.leave();
            }
            _ => drop(with_other_block(count)),
        }
    }
    Record::new(new_addr, birth)
}

/// Whether a block belongs to the recording that runs now.
#[inline]
fn counts(state: State, birth: Birth) -> bool {
    state.phase() == Phase::Recording
        && birth.site != SiteIndex::NONE
        && birth.key.generation() == state.key().generation()
}

#[inline]
fn birth_in(
    block: &'static ThreadBlock,
    stack: &impl StackMemory,
    state: State,
    caller: Caller,
    addr: usize,
    size: usize,
) -> Record {
    let context = Context::new(block.tag.load(Relaxed), MODULES.unloads());
    let site = match block.memo.find(stack, caller, context) {
        Some(site) => site,
        None => learn(block, stack, caller, context),
    };
    if counters::birth(&block.slots, surroundings(), state, site, size as u64) {
        Record::new(addr, Birth { site, key: state.key() })
    } else {
        add(&block.tally.uncounted, 1);
        Record::uncounted(addr)
    }
}

/// Unwinds, interns, remembers.
#[cold]
fn learn(
    block: &'static ThreadBlock,
    stack: &impl StackMemory,
    caller: Caller,
    context: Context,
) -> SiteIndex {
    block.forget_unloaded(context);
    let mut draft = block.memo.draft(caller);
    let outcome = if UNWINDER.load(Relaxed) == Unwinder::EhFrame as u32 {
        walk(stack, caller, &block.scratch, &mut draft, |address| {
            block.rules.rule(address, || MODULES.rule_of(&ARENA, address))
        })
    } else {
        fallback::walk(&block.scratch, &mut draft)
    };
    let tally = &block.tally;
    add(&tally.misses, 1);
    add(&tally.uncacheable, u64::from(!draft.usable));
    add(&tally.truncated, u64::from(outcome.truncated));
    let frames = block.scratch.get(..outcome.n_frames).unwrap_or(&[]);
    let stack = StackRef { frames, tag: context.tag(), truncated: outcome.truncated };
    let site = tables().map_or(SiteIndex::OVERFLOW, |tables| tables.sites.intern(&ARENA, stack));
    add(&tally.siteless, u64::from(site == SiteIndex::OVERFLOW));
    block.memo.commit(draft, caller, context, site);
    site
}

/// Counts for a thread that has no block yet, or none any more, or whose block is in use by the
/// very call that a signal handler interrupted. `None` for the recorder's own threads.
#[cold]
fn with_other_block<R>(count: impl FnOnce(&'static ThreadBlock) -> R) -> Option<R> {
    if threads::is_internal() {
        return None;
    }
    let adopted = match threads::own_block() {
        None => threads::adopt(&REGISTRY, &ARENA),
        Some(_) => None,
    };
    let block = match adopted {
        Some(block) => block,
        None => REGISTRY.claim(&ARENA)?,
    };
    block.enter();
    let result = count(block);
    block.leave();
    if adopted.is_none() {
        block.release();
    }
    Some(result)
}

#[cold]
fn note_overrun() {
    with_other_block(|block| add(&block.tally.overruns, 1));
}
