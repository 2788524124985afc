//! What an ELF file says about addresses: functions, files and lines, inlined ones included.
//!
//! Debug information is indexed when it is first looked into, and that takes longer than all the
//! rest; so a reader is kept for as long as names of its file may be asked for.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use blazesym::symbolize::source::{Elf, Source};
use blazesym::symbolize::{CodeInfo, Input, Sym, Symbolizer};
use heaptide_format::{ModuleOffset, Name};

use super::build_id::Debug;
use super::contained::contained;
use super::dwo::Unpacked;
use crate::identity::is_bare;

/// Innermost inlined function first, never empty; unknown addresses are left out.
pub(super) type Names = BTreeMap<ModuleOffset, Vec<Name>>;

/// Reads names from one file.
pub(super) enum Reader {
    Whole(Box<Whole>),
    /// Unpacked split debug information, which needs another reader.
    Unpacked(Box<Unpacked>),
}

impl Reader {
    /// Looks for linked debug files in `debug_dirs`.
    pub(super) fn open(file: &Path, debug: Debug, debug_dirs: &[&Path]) -> Result<Self, String> {
        contained(|| match debug {
            Debug::Unpacked => Ok(Self::Unpacked(Box::new(Unpacked::open(file)?))),
            Debug::None | Debug::Whole => Ok(Self::Whole(Box::new(Whole::new(file, debug_dirs)))),
        })
    }

    /// Names of return addresses.
    pub(super) fn names(&self, offsets: &[ModuleOffset]) -> Result<Names, String> {
        contained(|| match self {
            Self::Whole(whole) => whole.names(offsets),
            Self::Unpacked(unpacked) => Ok(unpacked.names(offsets)),
        })
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Whole(_) => "Whole",
            Self::Unpacked(_) => "Unpacked",
        })
    }
}

/// A file with its debug information in itself or behind a link, or with a symbol table only.
pub(super) struct Whole {
    file: PathBuf,
    symbolizer: Symbolizer,
    symbol_table: Symbolizer,
}

impl Whole {
    fn new(file: &Path, debug_dirs: &[&Path]) -> Self {
        // The build id was compared; what comes to stand at this path later is another build.
        let symbolizer = Symbolizer::builder()
            .enable_auto_reload(false)
            .set_debug_dirs(Some(debug_dirs))
            .build();
        let symbol_table = Symbolizer::builder().enable_auto_reload(false).build();
        Self { file: file.to_owned(), symbolizer, symbol_table }
    }

    fn names(&self, offsets: &[ModuleOffset]) -> Result<Names, String> {
        let calls: Vec<u64> = offsets.iter().map(|offset| offset.0.saturating_sub(1)).collect();
        let source = Source::Elf(Elf::new(&self.file));
        let symbols = self
            .symbolizer
            .symbolize(&source, Input::VirtOffset(&calls))
            .map_err(|err| format!("its debug information cannot be read: {err}"))?;
        let named = offsets.iter().zip(&symbols).filter_map(|(offset, symbol)| {
            let names = names_of(symbol.as_sym()?);
            (!names.is_empty()).then_some((*offset, names))
        });
        let mut named = named.collect();
        self.lengthen_bare_names(&mut named);
        Ok(named)
    }

    /// Line tables alone name functions without their path; the symbol table has the path of those
    /// that are not inlined.
    fn lengthen_bare_names(&self, named: &mut Names) {
        let bare: Vec<_> = named.iter_mut().filter(|(_, names)| ends_bare(names)).collect();
        let calls: Vec<u64> = bare.iter().map(|(offset, _)| offset.0.saturating_sub(1)).collect();
        let source = Source::Elf(Elf { debug_syms: false, ..Elf::new(&self.file) });
        let Ok(symbols) = self.symbol_table.symbolize(&source, Input::VirtOffset(&calls)) else {
            return;
        };
        for ((_, names), symbol) in bare.into_iter().zip(&symbols) {
            let (Some(outermost), Some(symbol)) = (names.last_mut(), symbol.as_sym()) else {
                continue;
            };
            if symbol.name.contains("::") {
                outermost.function = symbol.name.to_string();
            }
        }
    }
}

/// Whether the outermost function has its last name only.
fn ends_bare(names: &[Name]) -> bool {
    names.last().is_some_and(|outermost| is_bare(&outermost.function))
}

fn names_of(symbol: &Sym<'_>) -> Vec<Name> {
    let outer = name(&symbol.name, symbol.code_info.as_deref());
    let inlined = symbol.inlined.iter().map(|inner| name(&inner.name, inner.code_info.as_ref()));
    let mut names: Vec<_> = std::iter::once(outer).chain(inlined).collect();
    names.reverse();
    names.retain(|name| !name.function.is_empty());
    names
}

fn name(function: &str, place: Option<&CodeInfo<'_>>) -> Name {
    Name {
        function: function.to_owned(),
        file: place.map(|place| place.to_path().to_string_lossy().into_owned()),
        line: place.and_then(|place| place.line).filter(|line| *line > 0),
    }
}
