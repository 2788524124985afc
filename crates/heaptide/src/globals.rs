//! The statics of the process, in one place.
//!
//! Whatever counts is handed what it needs of these; only what stands above this module names them.

#![forbid(unsafe_code)]

use heaptide_format::MAX_FRAMES;
use once_cell::sync::OnceCell;

use crate::shared::arena::{Arena, Link};
use crate::shared::budget::{self, Budget};
use crate::shared::changes::Changes;
use crate::shared::labels::{Labels, MAX_TAGS, MAX_WORK, WorkCounters};
use crate::shared::pool::Pool;
use crate::shared::samples::SampleTable;
use crate::shared::sites::SiteTable;
use crate::shared::state::{State, StateCell};
use crate::shared::trailer::MAX_SITES;
use crate::sync::Ordering::Relaxed;
use crate::sync::{AtomicU32, AtomicU64};
use crate::thread::block::ThreadBlock;
use crate::thread::counters::own::CountContext;
use crate::thread::counters::shared::SharedSlots;
use crate::thread::scratch_stack::ScratchStack;
use crate::unwind::modules::LoadedModules;

/// What the shim is doing; see [`crate::shared::state`].
pub(crate) static STATE: StateCell = StateCell::new();
/// Memory of everything below.
pub(crate) static ARENA: Arena = Arena::new();
/// What threads may take of it for detail; see [`crate::shared::budget`].
pub(crate) static BUDGET: Budget = Budget::new(budget::DEFAULT_BYTES);
/// What their own slots take of that.
static OWN_SLOT_BYTES: AtomicU64 = AtomicU64::new(0);
/// The slots that threads share.
pub(crate) static SHARED_SLOTS: SharedSlots = SharedSlots::new();
/// Which sites changed.
pub(crate) static CHANGES: Changes = Changes::new();
/// What counting needs beside the thread's own.
pub(crate) static COUNT_CONTEXT: CountContext = CountContext {
    state: &STATE,
    arena: &ARENA,
    budget: &BUDGET,
    own_slot_bytes: &OWN_SLOT_BYTES,
    shared: &SHARED_SLOTS,
    changes: &CHANGES,
    work: &WORK,
};
/// All thread blocks.
pub(crate) static THREAD_BLOCKS: Pool<ThreadBlock> = Pool::new();
/// All stacks of our own.
pub(crate) static SCRATCH_STACKS: Pool<ScratchStack> = Pool::new();
/// All modules.
pub(crate) static MODULES: LoadedModules = LoadedModules::new();
/// Work counted, by number of the counter less one; cumulative over the process's life.
pub(crate) static WORK: WorkCounters = [const { AtomicU64::new(0) }; MAX_WORK];

static TABLES: Link<Tables> = Link::nothing();
static TABLES_MADE: OnceCell<&'static Tables> = OnceCell::new();
/// Events that found no thread block to be counted in, for want of memory.
pub(crate) static UNHELD: AtomicU64 = AtomicU64::new(0);
/// What the recorder itself has from the inner allocator while blocks carry trailers. May be a little
/// below zero, in two's complement: what it took before a recording began is not in it.
pub(crate) static OWN_CHUNK_BYTES: AtomicU64 = AtomicU64::new(0);

/// How many of a stack's innermost frames make its site.
static FRAMES_KEPT: AtomicU32 = AtomicU32::new(MAX_FRAMES as u32);
/// So many when this many sixteenths of the table of sites are taken. Eight frames early, because the same
/// sixteen stand at many depths of the stack where what calls them has no end, and each depth is learnt by
/// itself.
const FRAMES_BY_SIXTEENTHS: [(usize, u32); 3] = [(8, 16), (10, 8), (15, 4)];

/// How stacks are taken, as [`Unwinder`].
static UNWINDER: AtomicU32 = AtomicU32::new(Unwinder::of_this_machine() as u32);

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
    /// By the `backtrace` crate, on machines that the walk does not know, and for comparison.
    #[cfg(any(
        feature = "names",
        not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))
    ))]
    Backtrace,
}

impl Unwinder {
    /// The one for this machine: our walk where it knows the stacks, by the tables that
    /// `dl_iterate_phdr` finds.
    pub(crate) const fn of_this_machine() -> Self {
        #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
        return Self::EhFrame;
        #[cfg(not(all(
            target_os = "linux",
            any(target_arch = "x86_64", target_arch = "aarch64")
        )))]
        return Self::Backtrace;
    }

    /// As recordings name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::EhFrame => "eh_frame",
            #[cfg(any(
                feature = "names",
                not(all(
                    target_os = "linux",
                    any(target_arch = "x86_64", target_arch = "aarch64")
                ))
            ))]
            Self::Backtrace => "backtrace",
        }
    }
}

/// Makes the tables at the first call; `None` without memory. Not called from the hook.
///
/// A site is made of a stack's `frames` innermost frames.
pub(crate) fn prepare(unwinder: Unwinder, frames: u32) -> Option<&'static Tables> {
    if UNWINDER.swap(unwinder as u32, Relaxed) != unwinder as u32 {
        // What is remembered was found the other way.
        MODULES.forget();
    }
    let tables = TABLES_MADE.get_or_try_init(|| {
        let tables = Tables {
            sites: SiteTable::new(&ARENA, MAX_SITES).ok_or(())?,
            tags: Labels::new(&ARENA, MAX_TAGS).ok_or(())?,
            work: Labels::new(&ARENA, MAX_WORK).ok_or(())?,
            samples: SampleTable::new(&ARENA).ok_or(())?,
        };
        SHARED_SLOTS.make(&ARENA, MAX_SITES).ok_or(())?;
        CHANGES.make(&ARENA, MAX_SITES).ok_or(())?;
        Ok::<_, ()>(&*Box::leak(Box::new(tables)))
    });
    let tables = *tables.ok()?;
    refresh_modules();
    keep_frames(frames);
    keep_fewer_frames(&tables.sites);
    TABLES.set(Some(tables));
    Some(tables)
}

/// The tables, if a recording was ever started.
pub(crate) fn tables() -> Option<&'static Tables> {
    TABLES.get()
}

/// Asks the loader what is loaded; the state afterwards. Not called from the hook.
pub(crate) fn refresh_modules() -> State {
    MODULES.refresh(&ARENA);
    note_unloads()
}

/// The state, after all unloads that were noticed so far.
pub(crate) fn note_unloads() -> State {
    STATE.note_unloads(MODULES.unloads());
    STATE.load()
}

/// How many of a stack's innermost frames make its site now.
pub(crate) fn frames_kept() -> u32 {
    FRAMES_KEPT.load(Relaxed)
}

fn keep_frames(frames: u32) {
    if FRAMES_KEPT.swap(frames, Relaxed) != frames {
        // What is remembered has more frames, or fewer.
        MODULES.forget();
    }
}

/// Keeps fewer frames of each stack if the table of sites is filling, so that stacks which differ in
/// their callers' callers only have one site, and are remembered by what they have in common. Sites that
/// are there stay, and get no blocks any more but those of their own length.
pub(crate) fn keep_fewer_frames(sites: &SiteTable) {
    let taken = sites.sixteenths_taken();
    let reached = |&&(sixteenths, _): &&(usize, u32)| sixteenths <= taken;
    let Some(&(_, most)) = FRAMES_BY_SIXTEENTHS.iter().rfind(reached) else { return };
    if frames_kept() > most && FRAMES_KEPT.fetch_min(most, Relaxed) > most {
        MODULES.forget();
    }
}

/// How stacks are taken, as [`prepare`] was told.
pub(crate) fn unwinder() -> Unwinder {
    match UNWINDER.load(Relaxed) {
        #[cfg(any(
            feature = "names",
            not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))
        ))]
        unwinder if unwinder == Unwinder::Backtrace as u32 => Unwinder::Backtrace,
        _ => Unwinder::EhFrame,
    }
}
