//! Loaded modules: where their code and their unwind tables are.
//!
//! The dynamic loader knows; [`LoadedModules::refresh`] asks it with `dl_iterate_phdr`, whose own
//! lock makes updates of our table one at a time. That happens on slow paths only: when a
//! recording starts, with each snapshot, and before each walk, so that no walk uses the tables of a
//! module that has gone. It costs little when nothing was loaded or unloaded.
//! Entries are never removed, only marked unloaded, so that a site of an unloaded module keeps
//! its name.

use core::ffi::{CStr, c_int, c_void};

use super::arch;
use super::rule::Rule;
use super::tables::{self, Sections};
use crate::shared::arena::{Arena, Link, RowLink, zeroed};
use crate::sync::Ordering::{Acquire, Relaxed, Release};
use crate::sync::{AtomicU32, AtomicU64};

const MAX_MODULES: usize = 1024;

zeroed! {
    /// One executable or shared object, now or once in memory.
    #[derive(Debug)]
    pub(crate) struct LoadedModule {
        start: AtomicU64,
        end: AtomicU64,
        bias: AtomicU64,
        /// Address and length of `.eh_frame_hdr`; 0 without one.
        header_at: AtomicU64,
        header_len: AtomicU64,
        /// End of the segment that holds the unwind tables.
        tables_end: AtomicU64,
        path: RowLink<u8>,
        build_id: RowLink<u8>,
        unloaded: AtomicU32,
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

    /// Path as the loader knows it; empty for the executable.
    pub(crate) fn path(&self) -> &'static [u8] {
        self.path.get().unwrap_or(&[])
    }

    pub(crate) fn build_id(&self) -> Option<&'static [u8]> {
        self.build_id.get()
    }

    pub(crate) fn is_loaded(&self) -> bool {
        self.unloaded.load(Acquire) == 0
    }

    fn displaces(&self) -> bool {
        self.displaces.load(Relaxed) != 0
    }

    fn overlaps(&self, seen: &Seen) -> bool {
        self.start.load(Relaxed) < seen.end && seen.start < self.end.load(Relaxed)
    }

    fn is(&self, seen: &Seen) -> bool {
        self.is_loaded()
            && self.start.load(Relaxed) == seen.start
            && self.end.load(Relaxed) == seen.end
            && self.header_at.load(Relaxed) == seen.header_at
            && self.path() == seen.path
            && self.build_id() == seen.build_id
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
    count: AtomicU32,
    /// How many of them were mapped where another had been.
    displacing: AtomicU32,
    /// Raised when a module is unloaded: what was learned of its addresses is void.
    unloads: AtomicU32,
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

    /// All modules, loaded or unloaded, in the order they were met.
    pub(crate) fn all(&self) -> impl Iterator<Item = &'static LoadedModule> {
        let count = self.count.load(Acquire) as usize;
        self.entries[..count.min(MAX_MODULES)].iter().filter_map(Link::get)
    }

    /// Tells apart what the same addresses meant at different times: the number of the latest module
    /// that a frame is in and that was mapped where another had been; 0 if there is none.
    ///
    /// While it was on the stack, nothing later was: so with an address this says which module.
    pub(crate) fn layout_of(&self, frames: &[AtomicU64]) -> u32 {
        if self.displacing.load(Relaxed) == 0 {
            return 0;
        }
        let has_frame = |module: &LoadedModule| {
            frames.iter().any(|frame| module.contains(frame.load(Relaxed).wrapping_sub(1)))
        };
        let displacing = self.all().zip(0..).filter(|(module, _)| module.displaces());
        displacing.filter(|(module, _)| has_frame(module)).last().map_or(0, |(_, at)| at)
    }

    /// The module of an address on a stack of this layout, and its number.
    pub(crate) fn module_of(
        &self,
        layout: u32,
        address: u64,
    ) -> Option<(usize, &'static LoadedModule)> {
        let was_there = |at: usize, module: &LoadedModule| {
            module.contains(address) && (!module.displaces() || at <= layout as usize)
        };
        self.all().enumerate().filter(|&(at, module)| was_there(at, module)).last()
    }

    /// The rule of the code at `address`, which must be on the caller's stack.
    pub(crate) fn rule_of(&self, address: u64) -> Rule {
        let sections = self.find(address).and_then(LoadedModule::sections);
        sections.map_or(Rule::Unknown, |sections| tables::rule_of(arch::HERE, sections, address))
    }

    fn find(&self, address: u64) -> Option<&'static LoadedModule> {
        self.all().filter(|module| module.contains(address) && module.is_loaded()).last()
    }

    /// Brings the table up to date with the loader. Cheap when nothing changed.
    pub(crate) fn refresh(&self, arena: &Arena) {
        // A pass is void if the loader was at work in between.
        let _ = (0..3).any(|_| self.pass_is_good(arena));
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

    /// Voids what was learned of all addresses.
    pub(crate) fn forget(&self) {
        self.unloads.fetch_add(1, Release);
    }

    fn add(&self, arena: &Arena, seen: &Seen) -> Option<usize> {
        let at = self.count.load(Relaxed) as usize;
        let link = self.entries.get(at)?;
        let module = arena.one::<LoadedModule>()?;
        for (to, value) in [
            (&module.start, seen.start),
            (&module.end, seen.end),
            (&module.bias, seen.bias),
            (&module.header_at, seen.header_at),
            (&module.header_len, seen.header_len),
            (&module.tables_end, seen.tables_end),
        ] {
            to.store(value, Relaxed);
        }
        module.path.set(arena.copy(seen.path)?);
        if let Some(build_id) = seen.build_id {
            module.build_id.set(arena.copy(build_id)?);
        }
        if self.all().any(|earlier| earlier.overlaps(seen)) {
            module.displaces.store(1, Relaxed);
            self.displacing.fetch_add(1, Relaxed);
        }
        link.set(Some(module));
        self.count.store(at as u32 + 1, Release);
        Some(at)
    }
}

/// What the loader says of one module.
#[derive(Debug, Default)]
struct Seen {
    start: u64,
    end: u64,
    bias: u64,
    header_at: u64,
    header_len: u64,
    tables_end: u64,
    path: &'static [u8],
    build_id: Option<&'static [u8]>,
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
            None => self.modules.add(self.arena, seen),
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
            if !marked && module.is_loaded() {
                module.unloaded.store(1, Release);
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
    let seen = unsafe { describe(info) };
    pass.note(&seen);
    0
}

#[cfg(target_pointer_width = "64")]
type Header = libc::Elf64_Phdr;

/// Reads a module's program headers.
///
/// # Safety
/// `info` must describe a module that is loaded and stays so during the call. The slices in the
/// result are good for as long.
unsafe fn describe(info: &libc::dl_phdr_info) -> Seen {
    let mut seen = Seen { bias: info.dlpi_addr, start: u64::MAX, ..Seen::default() };
    if !info.dlpi_name.is_null() {
        // SAFETY: the loader's names are C strings.
        seen.path = unsafe { CStr::from_ptr(info.dlpi_name) }.to_bytes();
    }
    if info.dlpi_phdr.is_null() {
        return seen;
    }
    // SAFETY: the loader says that there are `dlpi_phnum` headers.
    let headers =
        unsafe { core::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    for header in headers {
        let at = info.dlpi_addr.wrapping_add(header.p_vaddr);
        match header.p_type {
            libc::PT_LOAD => {
                seen.start = seen.start.min(at);
                seen.end = seen.end.max(at.wrapping_add(header.p_memsz));
            }
            libc::PT_GNU_EH_FRAME => {
                (seen.header_at, seen.header_len) = (at, header.p_memsz);
            }
            libc::PT_NOTE if seen.build_id.is_none() && is_loaded(headers, header) => {
                // SAFETY: a note segment is mapped and readable while the module is loaded.
                let notes = unsafe {
                    core::slice::from_raw_parts(at as *const u8, header.p_filesz as usize)
                };
                seen.build_id = build_id(notes);
            }
            _ => {}
        }
    }
    seen.tables_end = segment_end(headers, seen.header_at.wrapping_sub(info.dlpi_addr))
        .map_or(0, |end| end.wrapping_add(info.dlpi_addr));
    seen
}

/// Whether what `part` describes lies inside a loaded segment.
fn is_loaded(headers: &[Header], part: &Header) -> bool {
    let end = part.p_vaddr.checked_add(part.p_filesz);
    segment_end(headers, part.p_vaddr).is_some_and(|limit| end.is_some_and(|end| end <= limit))
}

/// Where the loaded segment around `address` ends (both before relocation).
fn segment_end(headers: &[Header], address: u64) -> Option<u64> {
    headers
        .iter()
        .filter(|header| header.p_type == libc::PT_LOAD)
        .map(|header| (header.p_vaddr, header.p_vaddr.saturating_add(header.p_filesz)))
        .find(|&(start, end)| (start..end).contains(&address))
        .map(|(_, end)| end)
}

/// The GNU build id among the notes of a segment (`NT_GNU_BUILD_ID`, see `elf(5)`).
fn build_id(mut notes: &[u8]) -> Option<&[u8]> {
    const NT_GNU_BUILD_ID: u32 = 3;
    let word =
        |bytes: &[u8], at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    loop {
        let (name_len, len, kind) = (word(notes, 0)?, word(notes, 4)?, word(notes, 8)?);
        let value_at = 12 + (name_len as usize).next_multiple_of(4);
        let value = notes.get(value_at..value_at.checked_add(len as usize)?)?;
        if kind == NT_GNU_BUILD_ID && notes.get(12..16) == Some(b"GNU\0") {
            return Some(value);
        }
        notes = notes.get(value_at + (len as usize).next_multiple_of(4)..)?;
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
        assert!(matches!(modules.rule_of(here), Rule::Frame { .. }));
        let executable = modules.find(here).expect("the module of this code");
        assert!(executable.build_id().is_none_or(|id| id.len() >= 8));
        let before = modules.all().count();
        modules.refresh(&arena);
        assert_eq!(modules.all().count(), before);
        assert_eq!(modules.rule_of(16), Rule::Unknown);
    }

    #[test]
    fn the_build_id_is_found_behind_other_notes() {
        let note = |name: &[u8], kind: u32, value: &[u8]| {
            let mut bytes = Vec::new();
            for word in [name.len() as u32, value.len() as u32, kind] {
                bytes.extend(word.to_ne_bytes());
            }
            for part in [name, value] {
                bytes.extend(part);
                bytes.resize(bytes.len().next_multiple_of(4), 0);
            }
            bytes
        };
        let first = note(b"GNU\0", 1, &[1, 2, 3, 4, 5]);
        let second = note(b"GNU\0", 3, &[9; 20]);
        assert_eq!(build_id(&[first.clone(), second].concat()), Some(&[9u8; 20][..]));
        assert_eq!(build_id(&first), None);
        assert_eq!(build_id(&first[..7]), None);
    }
}
