//! Names from unpacked split debug information (`.dwo` files), which need another reader.
//!
//! Where these files lie is written in the executable, by whoever made it. So they are opened here and
//! not by the library: regular files only, of bounded size, and used only if their id is the one that the
//! executable has for them.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use addr2line::{Context, FrameIter, LookupContinuation, LookupResult, SplitDwarfLoad};
use gimli::{AbbreviationsCacheStrategy, EndianArcSlice, RunTimeEndian, SectionId};
use heaptide_format::{ModuleOffset, Name};
use object::read::{ReadCache, SymbolMap, SymbolMapEntry};
use object::{Object, ObjectSection};

use super::compressed;
use super::regular::open_regular;
use crate::identity::is_bare;
use crate::limits::MOST_UNPACKED_BYTES;

type Section = EndianArcSlice<RunTimeEndian>;
type Dwarf = gimli::Dwarf<Section>;

/// An executable whose debug information lies in other files.
pub(super) struct Unpacked {
    context: Context<Section>,
    symbols: SymbolMap<Symbol>,
    /// How much more may be read of all its files together.
    left_bytes: Cell<u64>,
    /// Whether a file of the address that was looked for last could not be used.
    is_missing: Cell<bool>,
}

impl Unpacked {
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        let left_bytes = Cell::new(MOST_UNPACKED_BYTES);
        let cache = ReadCache::new(open_regular(path)?);
        let object = object::File::parse(&cache).map_err(|err| err.to_string())?;
        let symbols = symbols_of(&object);
        let mut dwarf = dwarf(&object, &left_bytes, |id| Some(id.name()))?;
        dwarf.populate_abbreviations_cache(AbbreviationsCacheStrategy::Duplicates);
        let context = Context::from_dwarf(dwarf).map_err(|err| err.to_string())?;
        Ok(Self { context, symbols, left_bytes, is_missing: Cell::new(false) })
    }

    /// Names of return addresses.
    pub(super) fn names(&self, offsets: &[ModuleOffset]) -> BTreeMap<ModuleOffset, Vec<Name>> {
        let named =
            offsets.iter().map(|offset| (*offset, self.names_at(offset.0.saturating_sub(1))));
        named.filter(|(_, names)| !names.is_empty()).collect()
    }

    fn names_at(&self, call: u64) -> Vec<Name> {
        let mut names = Vec::new();
        self.is_missing.set(false);
        if let Ok(mut frames) = self.frames(call) {
            while let Ok(Some(frame)) = frames.next() {
                let function =
                    frame.function.as_ref().and_then(|function| function.raw_name().ok());
                names.push(Name {
                    function: function.map(|name| demangled(&name)).unwrap_or_default(),
                    file: frame.location.as_ref().and_then(|at| at.file).map(str::to_owned),
                    line: frame.location.as_ref().and_then(|at| at.line).filter(|line| *line > 0),
                });
            }
        }
        // What is left without a name is one function; where it stands is known all the same, unless what
        // is missing would say that something was inlined there.
        if names.iter().all(|name| name.function.is_empty()) {
            let place = names.pop().filter(|_| !self.is_missing.get());
            let (file, line) = place.map_or((None, None), |place| (place.file, place.line));
            let symbol = self.symbol(call);
            names = symbol.map(|function| Name { function, file, line }).into_iter().collect();
        }
        // Line tables alone have no path; the symbol table has that of functions that are not inlined.
        if let Some(outermost) = names.last_mut().filter(|name| is_bare(&name.function)) {
            let symbol = self.symbol(call);
            let whole = symbol.filter(|symbol| symbol.contains("::"));
            outermost.function = whole.unwrap_or_else(|| std::mem::take(&mut outermost.function));
        }
        names.retain(|name| !name.function.is_empty());
        names
    }

    fn symbol(&self, call: u64) -> Option<String> {
        self.symbols.containing(call).map(|symbol| demangled(&symbol.name))
    }

    fn frames(&self, call: u64) -> Result<FrameIter<'_, Section>, gimli::Error> {
        let mut found = self.context.find_frames(call);
        loop {
            match found {
                LookupResult::Output(frames) => return frames,
                LookupResult::Load { load, continuation } => {
                    let split = self.load(load);
                    self.is_missing.set(self.is_missing.get() || split.is_none());
                    found = continuation.resume(split.map(Arc::new));
                }
            }
        }
    }

    /// The debug information that was split off, if it is there.
    fn load(&self, load: SplitDwarfLoad<Section>) -> Option<Dwarf> {
        let text = |it: &Option<Section>| it.as_ref().map(|it| it.bytes().to_owned());
        let dir = text(&load.comp_dir).unwrap_or_default();
        let path = Path::new(OsStr::from_bytes(&dir)).join(OsStr::from_bytes(&text(&load.path)?));
        let mut dwo = self.dwo(&path).ok()?;
        let header = dwo.units().next().ok()??;
        if dwo.unit(header).ok()?.dwo_id != Some(load.dwo_id) {
            return None;
        }
        dwo.make_dwo(&load.parent);
        Some(dwo)
    }

    fn dwo(&self, path: &Path) -> Result<Dwarf, String> {
        let cache = ReadCache::new(open_regular(path)?);
        let object = object::File::parse(&cache).map_err(|err| err.to_string())?;
        compressed::check(&object, &cache)?;
        dwarf(&object, &self.left_bytes, SectionId::dwo_name)
    }
}

/// The sections of a file, as long as there are bytes left.
fn dwarf<'data>(
    object: &object::File<'data, &'data ReadCache<File>>,
    left_bytes: &Cell<u64>,
    name: impl Fn(SectionId) -> Option<&'static str>,
) -> Result<Dwarf, String> {
    let endian = match object.is_little_endian() {
        true => RunTimeEndian::Little,
        false => RunTimeEndian::Big,
    };
    gimli::Dwarf::load(|id| {
        let section = name(id).and_then(|name| object.section_by_name(name));
        let bytes: Arc<[u8]> = match section {
            Some(section) => {
                let left = left_bytes.get().checked_sub(compressed::unpacked_bytes(&section));
                left_bytes.set(left.ok_or("it has more debug information than is read")?);
                section.uncompressed_data().map_err(|err| err.to_string())?.into()
            }
            None => Arc::default(),
        };
        Ok(Section::new(bytes, endian))
    })
}

/// A function: where it begins, how many bytes it has (0 if that is not known), and its name.
struct Symbol {
    address: u64,
    size_bytes: u64,
    name: String,
}

impl SymbolMapEntry for Symbol {
    fn address(&self) -> u64 {
        self.address
    }

    fn size(&self) -> u64 {
        self.size_bytes
    }
}

fn symbols_of<'data>(object: &object::File<'data, &'data ReadCache<File>>) -> SymbolMap<Symbol> {
    let map = object.symbol_map();
    let symbols = map.symbols().iter().map(|it| Symbol {
        address: it.address(),
        size_bytes: it.size(),
        name: it.name().to_owned(),
    });
    SymbolMap::new(symbols.collect())
}

/// Without hashes and crate disambiguators.
fn demangled(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}
