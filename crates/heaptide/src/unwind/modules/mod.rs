//! Loaded modules: where their code and their unwind tables are.
//!
//! A module enters the table when a walk meets its code for the first time. The loader is asked for
//! each module that a walk comes through ([`ModuleFinder`]), so no walk uses the tables of a module
//! that has gone, and what was learned of its addresses is void from then on. Where the loader cannot
//! be asked without its lock ([`crate::sys::object_at`]), the recorder brings the table up to date
//! when a recording starts and with each snapshot; what a walk meets before that is not known.
//!
//! No lock: an entry is written, then published by one compare-and-swap, and never removed, only
//! marked unloaded, so that a site of an unloaded module keeps its name. A file with a build id that comes
//! back to its place has its entry again, so that plugins which come and go a million times in one place take
//! an entry each, and their call sites stay the same. One without a build id may have been written anew
//! meanwhile, and has a new entry at each load.

mod describe;
mod refresh;

use self::describe::{Seen, are_readable};
use super::arch::{self, RESTORER_BYTES};
use super::rule::{Resumes, Rule};
use super::tables::{self, Sections};
use crate::shared::arena::{Arena, Link, RowLink, zeroed};
use crate::sync::Ordering::{AcqRel, Acquire, Relaxed, Release};
use crate::sync::{AtomicU32, AtomicU64};
use crate::sys::{self, Answer, LoadedObject};

/// Bits of a frame's address; above them stands the number of its module, if others were in its place
/// before ([`LoadedModules::tell_apart`]). No kernel gives a program more without being asked.
const ADDRESS_BITS: u32 = 52;
/// Files in places that are told apart, loaded and unloaded ones; code of others is in no module, so that
/// stacks end at it, as truncated.
const MAX_MODULES: usize = 1 << (u64::BITS - ADDRESS_BITS);
/// How many modules a walk looks after that it does not come through: enough for most programs, and
/// no more than the walk itself costs.
const LOOKS_PER_WALK: usize = 8;

zeroed! {
    /// One executable or shared object, now or once in memory.
    #[derive(Debug)]
    pub(crate) struct LoadedModule {
        start: AtomicU64,
        end: AtomicU64,
        bias: AtomicU64,
        /// Address of the loader's own record; 0 if it is not known.
        link_map: AtomicU64,
        /// Address and length of `.eh_frame_hdr`; 0 without one.
        header_at: AtomicU64,
        header_len: AtomicU64,
        /// End of the segment that holds the unwind tables.
        tables_end: AtomicU64,
        path: RowLink<u8>,
        build_id: RowLink<u8>,
        /// Where the build id stands in the module.
        build_id_at: AtomicU64,
        /// Whether it is the executable, which is not unloaded.
        is_executable: AtomicU32,
        /// Goes up with each load and each unload that was noticed: odd while it is unloaded.
        turns: AtomicU32,
        /// Whether another module was mapped there before.
        displaces: AtomicU32,
    }
}

impl LoadedModule {
    pub(crate) fn contains(&self, address: u64) -> bool {
        (self.start.load(Relaxed)..self.end.load(Relaxed)).contains(&address)
    }

    /// Load bias: run-time address less offset.
    pub(crate) fn bias(&self) -> u64 {
        self.bias.load(Relaxed)
    }

    /// Path as the loader knows it. Not to be used for the executable, of which loaders say nothing,
    /// or `/proc/self/exe`, which means another file to whoever reads it.
    pub(crate) fn path(&self) -> &'static [u8] {
        self.path.get().unwrap_or(&[])
    }

    pub(crate) fn is_executable(&self) -> bool {
        self.is_executable.load(Relaxed) != 0
    }

    pub(crate) fn build_id(&self) -> Option<&'static [u8]> {
        self.build_id.get()
    }

    pub(crate) fn is_loaded(&self) -> bool {
        self.turns().is_multiple_of(2)
    }

    fn turns(&self) -> u32 {
        self.turns.load(Acquire)
    }

    /// Notes that it is gone, if it was there and neither went nor came back since `turns` was read; whether
    /// it was noted.
    fn go(&self, turns: u32) -> bool {
        turns.is_multiple_of(2)
            && self.turns.compare_exchange(turns, turns.wrapping_add(1), AcqRel, Relaxed).is_ok()
    }

    /// Notes that it is there again, maybe without having been missed.
    fn come_back(&self, seen: &Seen) {
        self.link_map.store(seen.link_map, Relaxed);
        let _ = self.turns.fetch_update(AcqRel, Relaxed, |turns| Some((turns | 1).wrapping_add(1)));
    }

    fn displaces(&self) -> bool {
        self.displaces.load(Relaxed) != 0
    }

    fn overlaps(&self, seen: &Seen) -> bool {
        self.start.load(Relaxed) < seen.end && seen.start < self.end.load(Relaxed)
    }

    /// Whether it is the same file in the same place. Without a build id it may have been written anew.
    fn is_file_of(&self, seen: &Seen) -> bool {
        seen.build_id.is_some() && self.is_like(seen)
    }

    fn is(&self, seen: &Seen) -> bool {
        self.is_loaded() && self.is_like(seen)
    }

    fn is_like(&self, seen: &Seen) -> bool {
        self.start.load(Relaxed) == seen.start
            && self.end.load(Relaxed) == seen.end
            && self.header_at.load(Relaxed) == seen.header_at
            && self.path() == seen.path
            && self.build_id() == seen.build_id
    }

    /// Whether the loader means this module, or one that is very much like it. Of the executable, it
    /// may have found a part only ([`LoadedObject`]).
    fn is_object(&self, object: &LoadedObject) -> bool {
        let has_its_bounds =
            self.start.load(Relaxed) == object.start && self.end.load(Relaxed) == object.end;
        self.link_map.load(Relaxed) == object.link_map
            && self.header_at.load(Relaxed) == object.header_at
            && (has_its_bounds || self.is_executable())
    }

    /// Whether the build id in memory is that of this module: the loader may have put another into the
    /// same place, with its record there as well. Of one without a build id, nothing is known.
    ///
    /// Some module must be loaded there and stay so during the call.
    fn has_its_build_id(&self) -> bool {
        let (Some(build_id), false) = (self.build_id(), self.is_executable()) else { return true };
        let at = self.build_id_at.load(Relaxed);
        if !are_readable(at, build_id.len() as u64) {
            return false;
        }
        let first = core::ptr::with_exposed_provenance::<u8>(at as usize);
        // SAFETY: readable, as was just seen, and whatever is loaded there stays.
        build_id == unsafe { core::slice::from_raw_parts(first, build_id.len()) }
    }

    /// The rule of the code at `address`, which must be on the caller's stack.
    pub(crate) fn rule_of(&self, address: u64) -> Rule {
        let sections = self.sections();
        let rule = sections
            .map_or(Rule::Unknown, |sections| tables::rule_of(arch::HERE, sections, address));
        let may_be_restorer =
            matches!(rule, Rule::Unknown | Rule::Frame { resumes: Resumes::AtAddress, .. });
        if may_be_restorer && self.has_restorer_at(address.wrapping_add(1)) {
            return Rule::Signal;
        }
        rule
    }

    /// Whether the code at `address` is what signal handlers return to.
    fn has_restorer_at(&self, address: u64) -> bool {
        let last = address.wrapping_add(RESTORER_BYTES as u64 - 1);
        if !self.contains(address) || !self.contains(last) || !are_readable(address, 16) {
            return false;
        }
        let at = core::ptr::with_exposed_provenance::<[u8; RESTORER_BYTES]>(address as usize);
        // SAFETY: readable, as was just seen, and the module stays while its code is on the stack.
        arch::HERE.is_restorer(&unsafe { at.read_unaligned() })
    }

    /// Its unwind sections.
    ///
    /// The caller must be executing in the module (or hold a return address into it), which keeps
    /// it loaded while the slices are in use.
    fn sections(&self) -> Option<Sections<'static>> {
        let header_at = self.header_at.load(Relaxed);
        let header_len = self.header_len.load(Relaxed) as usize;
        if header_at == 0 || !self.is_loaded() {
            return None;
        }
        // SAFETY: the loader says that this segment is mapped and readable, and it stays so while
        // the module is loaded: see above.
        let header = unsafe { core::slice::from_raw_parts(header_at as *const u8, header_len) };
        let frames_at = tables::frames_at(header, header_at)?;
        let frames_len = self.tables_end.load(Relaxed).checked_sub(frames_at)? as usize;
        // SAFETY: `.eh_frame` lies in the same read-only segment as its header, which is mapped up
        // to its end.
        let frames = unsafe { core::slice::from_raw_parts(frames_at as *const u8, frames_len) };
        Some(Sections { header, header_at, frames, frames_at })
    }
}

/// The table of modules. One per process.
#[derive(Debug)]
pub(crate) struct LoadedModules {
    entries: [Link<LoadedModule>; MAX_MODULES],
    /// How many entries there are at least: an entry is there before it is counted.
    count: AtomicU32,
    /// How many of them may have been mapped where another had been.
    displacing: AtomicU32,
    /// Raised when a module is unloaded: what was learned of its addresses is void.
    unloads: AtomicU32,
    /// Where [`Self::look_for_unloads`] goes on.
    next_look: AtomicU32,
    /// The loader's counts at the last refresh.
    adds_seen: AtomicU64,
    subs_seen: AtomicU64,
}

impl LoadedModules {
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        Self {
            entries: [const { Link::nothing() }; MAX_MODULES],
            count: AtomicU32::new(0),
            displacing: AtomicU32::new(0),
            unloads: AtomicU32::new(0),
            next_look: AtomicU32::new(0),
            // No loader counts this far: the first pass always looks. (musl always says 0.)
            adds_seen: AtomicU64::new(u64::MAX),
            subs_seen: AtomicU64::new(u64::MAX),
        }
    }

    /// How often modules were unloaded so far.
    #[inline]
    pub(crate) fn unloads(&self) -> u32 {
        self.unloads.load(Acquire)
    }

    /// All modules, loaded or unloaded, in the order they were met. The first is the executable.
    pub(crate) fn all(&self) -> impl Iterator<Item = &'static LoadedModule> {
        let count = self.count.load(Acquire) as usize;
        self.entries[..count.min(MAX_MODULES)].iter().filter_map(Link::get)
    }

    /// Tells apart what the same addresses mean at different times: writes into each frame of a stack which
    /// module it is in, if that was mapped where another had been. The modules are loaded, for their code is
    /// on the stack.
    pub(crate) fn tell_apart(&self, frames: &[AtomicU64]) {
        if self.displacing.load(Relaxed) == 0 {
            return;
        }
        let mut last = None;
        for frame in frames {
            let address = frame.load(Relaxed);
            let call = address.wrapping_sub(1);
            if last.is_none_or(|(_, module): (usize, &LoadedModule)| !module.contains(call)) {
                let loaded = self.all().enumerate().filter(|(_, module)| module.is_loaded());
                last = loaded.filter(|(_, module)| module.contains(call)).last();
            }
            if let Some((number, _)) = last.filter(|(_, module)| module.displaces())
                && address >> ADDRESS_BITS == 0
            {
                frame.store((number as u64) << ADDRESS_BITS | address, Relaxed);
            }
        }
    }

    /// The address of a frame that went through [`Self::tell_apart`], and its module with its number: that of
    /// the call, which lies before the return address.
    pub(crate) fn module_of(&self, frame: u64) -> (u64, Option<(usize, &'static LoadedModule)>) {
        let (number, address) =
            ((frame >> ADDRESS_BITS) as usize, frame & ((1 << ADDRESS_BITS) - 1));
        let told = self
            .entries
            .get(number)
            .and_then(Link::get)
            .filter(|module| module.displaces() && module.contains(address.wrapping_sub(1)));
        if let Some(module) = told {
            return (address, Some((number, module)));
        }
        let is_in = |module: &LoadedModule| module.contains(frame.wrapping_sub(1));
        let first = self.all().enumerate().find(|(_, module)| !module.displaces() && is_in(module));
        (frame, first)
    }

    /// Brings the table up to date with the loader. Not called from the hook: it may take the
    /// loader's lock, in a process that has no better way.
    pub(crate) fn refresh(&self, arena: &Arena) {
        sys::look_up_find_object();
        sys::note_first_stack();
        if !sys::can_find_objects() {
            return self.iterate(arena);
        }
        if self.all().next().is_none() {
            self.module_at(arena, sys::address_in_executable());
        }
        self.all().for_each(|module| self.look_after(module));
    }

    /// Looks whether modules have gone that no walk comes through, a few at each call.
    pub(crate) fn look_for_unloads(&self) {
        let count = self.count.load(Relaxed) as usize;
        let first = self.next_look.load(Relaxed) as usize;
        let next = if first + LOOKS_PER_WALK < count { first + LOOKS_PER_WALK } else { 0 };
        if next != first {
            self.next_look.store(next as u32, Relaxed);
        }
        let looked_at = self.entries.iter().skip(first).take(LOOKS_PER_WALK);
        looked_at.filter_map(Link::get).for_each(|module| self.look_after(module));
    }

    fn look_after(&self, module: &LoadedModule) {
        // Before the loader is asked: what it says is of then.
        let turns = module.turns();
        if !module.is_loaded() || module.is_executable() {
            return;
        }
        match sys::object_at(module.start.load(Relaxed)) {
            Answer::Module(object) if module.is_object(&object) => {}
            Answer::CannotSay => {}
            Answer::Module(_) | Answer::Nothing => self.note_unloaded(module, turns),
        }
    }

    fn note_unloaded(&self, module: &LoadedModule, turns: u32) {
        if module.go(turns) {
            self.forget();
        }
    }

    /// Voids what was learned of all addresses.
    pub(crate) fn forget(&self) {
        self.unloads.fetch_add(1, Release);
    }

    /// The module of an address that is on the caller's stack.
    fn module_at(&self, arena: &Arena, address: u64) -> Option<&'static LoadedModule> {
        match sys::object_at(address) {
            Answer::Module(object) => {
                let known = self.all().filter(|module| module.is_object(&object));
                let known = known.filter(|module| module.is_loaded()).last();
                known.filter(|module| module.has_its_build_id()).or_else(|| {
                    // SAFETY: its code is on the stack, so it is loaded and stays.
                    let seen = unsafe { describe::found(&object) }?;
                    self.meet(arena, &seen)
                })
            }
            Answer::Nothing => None,
            Answer::CannotSay => {
                self.find(address).filter(|module| !sys::UNLOADS || module.has_its_build_id())
            }
        }
    }

    fn find(&self, address: u64) -> Option<&'static LoadedModule> {
        self.all().filter(|module| module.contains(address) && module.is_loaded()).last()
    }

    /// A module that is there now and was not known: what was known of its place has gone.
    fn meet(&self, arena: &Arena, seen: &Seen) -> Option<&'static LoadedModule> {
        // Something may be mapped into a hole of the executable, which itself stays.
        let others = self.all().filter(|module| !module.is_executable());
        let gone = others.filter(|module| module.overlaps(seen) && !module.is_file_of(seen));
        gone.for_each(|module| self.note_unloaded(module, module.turns()));
        self.enter(arena, seen).map(|(_, module)| module)
    }

    /// Gives a module that is there its entry, of before if it has one; with its number.
    fn enter(&self, arena: &Arena, seen: &Seen) -> Option<(usize, &'static LoadedModule)> {
        let count = self.count.load(Acquire) as usize;
        if let Some((at, known)) = self.all().enumerate().find(|(_, known)| known.is_file_of(seen))
        {
            known.come_back(seen);
            return Some((at, known));
        }
        self.add(arena, seen, count)
    }

    /// Adds a module behind the first `at`, among which it is not, unless another thread has just done so; its
    /// number.
    fn add(
        &self,
        arena: &Arena,
        seen: &Seen,
        mut at: usize,
    ) -> Option<(usize, &'static LoadedModule)> {
        // First, since what the arena gives is never given back.
        self.entries.get(at)?;
        let module = new_module(arena, seen)?;
        loop {
            let link = self.entries.get(at)?;
            if self.entries.iter().take(at).filter_map(Link::get).any(|it| it.overlaps(seen)) {
                module.displaces.store(1, Relaxed);
                // Before it can be found: who finds it looks whether it displaced another.
                self.displacing.fetch_add(1, Relaxed);
            }
            let is_added = link.replace(None, Some(module));
            self.count.fetch_max(at as u32 + 1, AcqRel);
            if is_added {
                sys::note_thread_locals(seen.thread_local_bytes);
                return Some((at, module));
            }
            if let Some(other) = link.get().filter(|other| other.is(seen)) {
                return Some((at, other));
            }
            at += 1;
        }
    }
}

fn new_module(arena: &Arena, seen: &Seen) -> Option<&'static LoadedModule> {
    let module = arena.one::<LoadedModule>()?;
    for (to, value) in [
        (&module.start, seen.start),
        (&module.end, seen.end),
        (&module.bias, seen.bias),
        (&module.link_map, seen.link_map),
        (&module.header_at, seen.header_at),
        (&module.header_len, seen.header_len),
        (&module.tables_end, seen.tables_end),
        (&module.build_id_at, seen.build_id_at),
    ] {
        to.store(value, Relaxed);
    }
    module.path.set(arena.copy(seen.path)?);
    if let Some(build_id) = seen.build_id {
        module.build_id.set(arena.copy(build_id)?);
    }
    let is_executable = (seen.start..seen.end).contains(&sys::address_in_executable());
    module.is_executable.store(is_executable.into(), Relaxed);
    Some(module)
}

/// Finds the modules of the addresses of one walk.
///
/// Code that is on the stack stays loaded, so each module is asked for once, not once for each frame.
#[derive(Debug)]
pub(crate) struct ModuleFinder<'a> {
    modules: &'a LoadedModules,
    arena: &'a Arena,
    last: Option<&'static LoadedModule>,
}

impl<'a> ModuleFinder<'a> {
    pub(crate) fn new(modules: &'a LoadedModules, arena: &'a Arena) -> Self {
        Self { modules, arena, last: None }
    }

    /// The module of an address that is on the caller's stack; `None` if it is in none, or in one
    /// that cannot be described.
    pub(crate) fn module_at(&mut self, address: u64) -> Option<&'static LoadedModule> {
        if self.last.is_none_or(|last| !last.contains(address)) {
            self.last = self.modules.module_at(self.arena, address);
        }
        self.last
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "the interpreter has no loader")]
    fn this_test_finds_its_own_executable_and_the_rule_of_its_own_code() {
        let arena = Arena::new();
        let modules = Box::new(LoadedModules::new());
        let mut here = 0;
        // A return address: at its first instruction, a function may not have saved its own yet.
        backtrace::trace(|frame| {
            here = frame.ip().addr() as u64 - 1;
            false
        });
        modules.refresh(&arena);
        let executable = modules.module_at(&arena, here).expect("the module of this code");
        assert!(executable.is_executable());
        assert!(core::ptr::eq(executable, modules.all().next().expect("the executable is first")));
        assert!(matches!(executable.rule_of(here), Rule::Frame { .. }));
        assert!(executable.build_id().is_none_or(|id| id.len() >= 8));
        let before = modules.all().count();
        modules.refresh(&arena);
        assert_eq!(modules.all().count(), before);
        assert!(modules.module_at(&arena, 16).is_none());
    }

    /// Both ways to ask the loader find the same.
    #[test]
    #[cfg_attr(miri, ignore = "the interpreter has no loader")]
    fn a_module_looks_the_same_from_both_sides() {
        let arena = Arena::new();
        let (found, iterated) = (LoadedModules::new(), LoadedModules::new());
        found.refresh(&arena);
        iterated.iterate(&arena);
        for module in iterated.all() {
            let start = module.start.load(Relaxed);
            let Some(other) = found.module_at(&arena, start) else { continue };
            assert_eq!(other.path(), module.path());
            assert_eq!(other.build_id(), module.build_id());
            assert_eq!(other.bias(), module.bias());
            assert_eq!(other.header_at.load(Relaxed), module.header_at.load(Relaxed));
            assert_eq!(other.header_len.load(Relaxed), module.header_len.load(Relaxed));
            assert_eq!(other.tables_end.load(Relaxed), module.tables_end.load(Relaxed));
            assert_eq!(other.is_executable(), module.is_executable());
        }
        assert!(!sys::can_find_objects() || found.all().count() >= 3);
    }
}
