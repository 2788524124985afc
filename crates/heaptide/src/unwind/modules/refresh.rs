//! All modules at once, by `dl_iterate_phdr`, where the loader cannot be asked for one without a lock.

use core::ffi::{c_int, c_void};

use super::describe::{self, Seen};
use super::{LoadedModules, MAX_MODULES};
use crate::shared::arena::Arena;
use crate::sync::Ordering::{Acquire, Relaxed, Release};
use crate::sys;

impl LoadedModules {
    /// Brings the table up to date with the loader's list. Cheap when nothing changed.
    pub(super) fn iterate(&self, arena: &Arena) {
        // A pass is void if the loader was at work in between.
        sys::while_nobody_forks(|| (0..3).any(|_| self.pass_is_good(arena)));
    }

    fn pass_is_good(&self, arena: &Arena) -> bool {
        let mut pass = Pass { modules: self, arena, began: None, marks: [0; MAX_MODULES / 64] };
        // SAFETY: `note_module` has the right shape and `pass` outlives the call.
        let current = unsafe { libc::dl_iterate_phdr(Some(note_module), (&raw mut pass).cast()) };
        if current != 0 {
            return true;
        }
        // SAFETY: as above, for `end_pass`.
        let ended = unsafe { libc::dl_iterate_phdr(Some(end_pass), (&raw mut pass).cast()) };
        ended == GOOD
    }

    fn is_current(&self, counts: Counts) -> bool {
        (self.adds_seen.load(Acquire), self.subs_seen.load(Acquire)) == (counts.adds, counts.subs)
    }

    /// Says that the table is what the loader had at these counts.
    fn publish(&self, counts: Counts) {
        let subs_before = self.subs_seen.load(Relaxed);
        if subs_before != counts.subs && subs_before != u64::MAX {
            // Even if the same file is mapped at the same place again by now.
            self.forget();
        }
        self.subs_seen.store(counts.subs, Release);
        self.adds_seen.store(counts.adds, Release);
    }
}

/// How often the loader has added and taken away modules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counts {
    adds: u64,
    subs: u64,
}

/// One pass over the loader's list: all modules are noted, and then, if the list is still the same,
/// what was not noted is unloaded and the table up to date. Both happen under the loader's lock.
struct Pass<'a> {
    modules: &'a LoadedModules,
    arena: &'a Arena,
    /// What the loader had done when the pass began, and how many entries there were.
    began: Option<(Counts, usize)>,
    /// One bit for each entry that is still loaded.
    marks: [u64; MAX_MODULES / 64],
}

impl Pass<'_> {
    fn note(&mut self, seen: &Seen) {
        let position = self.modules.all().enumerate().find(|(_, module)| module.is(seen));
        let at = match position {
            Some((at, _)) => Some(at),
            None => self.modules.enter(self.arena, seen).map(|(at, _)| at),
        };
        if let Some((mark, bit)) = at.and_then(|at| Some((self.marks.get_mut(at / 64)?, at % 64))) {
            *mark |= 1 << bit;
        }
    }

    /// What [`end_pass`] returns: [`GOOD`] or [`VOID`].
    fn end(&self, now: Counts) -> c_int {
        match self.began {
            Some((counts, known)) if counts == now => {
                self.mark_unloaded(known);
                self.modules.publish(counts);
                GOOD
            }
            _ => VOID,
        }
    }

    fn mark_unloaded(&self, known: usize) {
        for (at, module) in self.modules.all().enumerate().take(known) {
            let marked = self.marks.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1);
            if !marked {
                module.go(module.turns());
            }
        }
    }
}

/// The loader's list is still what the pass saw.
const GOOD: c_int = 1;
/// It is not.
const VOID: c_int = 2;

/// Called by the loader, under its lock, for the first module.
unsafe extern "C" fn end_pass(
    info: *mut libc::dl_phdr_info,
    _size: usize,
    pass: *mut c_void,
) -> c_int {
    // SAFETY: the loader passes a valid description, and hands `pass` back as it was given.
    let info = unsafe { &*info };
    // SAFETY: `pass_is_good` passed a `Pass` that outlives the iteration and is used by nobody else.
    let pass = unsafe { &*pass.cast::<Pass<'_>>() };
    pass.end(Counts { adds: info.dlpi_adds, subs: info.dlpi_subs })
}

/// Called by the loader, under its lock, for each module; a nonzero return ends the pass.
unsafe extern "C" fn note_module(
    info: *mut libc::dl_phdr_info,
    _size: usize,
    pass: *mut c_void,
) -> c_int {
    // SAFETY: the loader passes a valid description, and hands `pass` back as it was given.
    let info = unsafe { &*info };
    // SAFETY: `pass_is_good` passed a `Pass` that outlives the iteration and is used by nobody else.
    let pass = unsafe { &mut *pass.cast::<Pass<'_>>() };
    if pass.began.is_none() {
        let counts = Counts { adds: info.dlpi_adds, subs: info.dlpi_subs };
        if pass.modules.is_current(counts) {
            return 1;
        }
        pass.began = Some((counts, pass.modules.count.load(Acquire) as usize));
    }
    // SAFETY: `info` comes from the loader.
    let seen = unsafe { describe::iterated(info) };
    pass.note(&seen);
    0
}
