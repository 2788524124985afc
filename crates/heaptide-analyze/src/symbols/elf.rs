//! Names from ELF files on this machine: which file, and what it says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use blazesym::symbolize::source::{Elf, Source};
use blazesym::symbolize::{CodeInfo, Input, Sym, Symbolizer};
use heaptide_format::{Module, ModuleOffset, Name};

use super::build_id::{Debug, Facts};
use super::{Problem, Resolve, Resolved, dwo};
use crate::identity::Origin;

const SYSTEM_DEBUG_DIR: &str = "/usr/lib/debug";

/// Finds files by build id and reads names from their debug information or symbol table.
#[derive(Debug)]
pub struct ElfResolver {
    symbol_paths: Vec<PathBuf>,
    symbolizer: Symbolizer,
    symbol_table: Symbolizer,
}

/// A file whose build id is the module's.
#[derive(Debug)]
struct Found {
    file: PathBuf,
    debug: Debug,
}

impl ElfResolver {
    /// Looks in `symbol_paths` (files, or directories that hold them by name or by build id)
    /// before the system's debug directory and the recorded path.
    pub fn new(symbol_paths: Vec<PathBuf>) -> Self {
        let debug_dirs =
            symbol_paths.iter().map(PathBuf::as_path).chain([SYSTEM_DEBUG_DIR.as_ref()]);
        let symbolizer = Symbolizer::builder()
            .enable_auto_reload(false)
            .set_debug_dirs(Some(debug_dirs))
            .build();
        let symbol_table = Symbolizer::builder().enable_auto_reload(false).build();
        Self { symbol_paths, symbolizer, symbol_table }
    }

    /// The first match that has debug information, else the first match.
    fn find(&self, module: &Module) -> Result<Found, Option<Problem>> {
        let path = Path::new(&module.path);
        if !path.is_absolute() {
            return Err(None);
        }
        let Some(recorded) = &module.build_id else {
            return unchecked(path);
        };
        let mut best: Option<Found> = None;
        for file in self.candidates(path, recorded) {
            let Ok(facts) = Facts::read(&file) else { continue };
            if facts.build_id.as_ref() != Some(recorded) {
                continue;
            }
            if best
                .as_ref()
                .is_none_or(|best| best.debug == Debug::None && facts.debug != Debug::None)
            {
                best = Some(Found { file, debug: facts.debug });
            }
        }
        best.ok_or_else(|| Some(why_none(path, recorded)))
    }

    fn candidates(&self, module: &Path, build_id: &str) -> Vec<PathBuf> {
        let by_id = by_build_id(build_id);
        let mut files = Vec::new();
        for given in &self.symbol_paths {
            if !given.is_dir() {
                files.push(given.clone());
                continue;
            }
            files.extend(by_id.iter().map(|relative| given.join(relative)));
            if let Some(name) = module.file_name() {
                let mut debug = name.to_owned();
                debug.push(".debug");
                files.extend([given.join(name), given.join(debug)]);
            }
        }
        files.extend(by_id.iter().map(|relative| Path::new(SYSTEM_DEBUG_DIR).join(relative)));
        files.push(module.to_owned());
        files
    }

    fn names(&self, file: &Path, offsets: &[ModuleOffset]) -> Result<Names, String> {
        let calls: Vec<u64> = offsets.iter().map(|offset| offset.0.saturating_sub(1)).collect();
        let source = Source::Elf(Elf::new(file));
        let symbols = self
            .symbolizer
            .symbolize(&source, Input::VirtOffset(&calls))
            .map_err(|err| format!("its debug information cannot be read: {err}"))?;
        let named = offsets.iter().zip(&symbols).filter_map(|(offset, symbol)| {
            let names = names_of(symbol.as_sym()?);
            (!names.is_empty()).then_some((*offset, names))
        });
        let mut named = named.collect();
        self.lengthen_bare_names(file, &mut named);
        Ok(named)
    }

    /// Line tables alone name functions without their path; the symbol table has the path of those
    /// that are not inlined.
    fn lengthen_bare_names(&self, file: &Path, named: &mut Names) {
        let is_bare = |names: &Vec<Name>| {
            names.last().is_some_and(|outermost| !outermost.function.contains("::"))
        };
        let bare: Vec<_> = named.iter_mut().filter(|(_, names)| is_bare(names)).collect();
        let calls: Vec<u64> = bare.iter().map(|(offset, _)| offset.0.saturating_sub(1)).collect();
        let source = Source::Elf(Elf { debug_syms: false, ..Elf::new(file) });
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

type Names = BTreeMap<ModuleOffset, Vec<Name>>;

impl Resolve for ElfResolver {
    fn resolve(&mut self, module: &Module, offsets: &[ModuleOffset]) -> Resolved {
        let found = match self.find(module) {
            Ok(found) => found,
            Err(problem) => return Resolved { names: BTreeMap::new(), problem },
        };
        let names = match found.debug {
            Debug::Unpacked => dwo::names(&found.file, offsets),
            Debug::None | Debug::Whole => self.names(&found.file, offsets),
        };
        match names {
            Ok(names) => Resolved { problem: remark(module, &found, &names), names },
            Err(cause) => {
                let problem = Some(Problem::Unreadable { file: found.file, cause });
                Resolved { names: BTreeMap::new(), problem }
            }
        }
    }
}

/// What a person can do to get more than this.
fn remark(module: &Module, found: &Found, names: &Names) -> Option<Problem> {
    if module.build_id.is_none() {
        return Some(Problem::Unchecked { module: PathBuf::from(&module.path) });
    }
    let file = found.file.clone();
    if names.is_empty() {
        return Some(Problem::NoSymbols { file });
    }
    // The standard library comes with lines of its own; system libraries cannot be rebuilt.
    let is_rust =
        |name: &&Name| name.function.contains("::") && Origin::of(name, "", "") != Origin::Std;
    let mut own = names.values().flatten().filter(is_rust).peekable();
    let no_lines = own.peek().is_some() && own.all(|name| name.line.is_none());
    no_lines.then_some(Problem::NoLines { file })
}

fn unchecked(path: &Path) -> Result<Found, Option<Problem>> {
    match Facts::read(path) {
        Ok(facts) => Ok(Found { file: path.to_owned(), debug: facts.debug }),
        Err(_) if !path.exists() => Err(Some(Problem::Missing { module: path.to_owned() })),
        Err(cause) => Err(Some(Problem::Unreadable { file: path.to_owned(), cause })),
    }
}

fn why_none(path: &Path, recorded: &str) -> Problem {
    let module = path.to_owned();
    match Facts::read(path) {
        Ok(facts) => {
            Problem::Mismatch { module, recorded: recorded.to_owned(), found: facts.build_id }
        }
        Err(_) if !path.exists() => Problem::Missing { module },
        Err(cause) => Problem::Unreadable { file: module, cause },
    }
}

/// `.build-id/xx/yyyy.debug`, as debuggers look for it, and the same of the program itself.
fn by_build_id(build_id: &str) -> Vec<PathBuf> {
    match build_id.split_at_checked(2) {
        Some((first, rest)) if !rest.is_empty() && build_id.is_ascii() => {
            let dir = Path::new(".build-id").join(first);
            vec![dir.join(format!("{rest}.debug")), dir.join(rest)]
        }
        _ => Vec::new(),
    }
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
