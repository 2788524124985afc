//! Names from ELF files on this machine: which file it is.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};

use heaptide_format::{Module, ModuleOffset, Name};

use super::build_id::{Debug, Facts};
use super::problem::Problem;
use super::reader::{Names, Reader};
use super::resolve::{Resolve, Resolved};
use crate::identity::{Origin, is_bare};

/// Where distributions put the debug files of their packages, by build id.
const SYSTEM_DEBUG_DIR: &str = "/usr/lib/debug";

/// Finds files by build id and reads names from their debug information or symbol table.
///
/// A file that was opened stays open: the next names of its module cost little.
#[derive(Debug, Default)]
pub struct ElfResolver {
    symbol_paths: Vec<PathBuf>,
    /// By path and build id.
    opened: BTreeMap<(String, Option<String>), Opened>,
}

#[derive(Debug)]
struct Opened {
    file: PathBuf,
    reader: Reader,
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
        Self { symbol_paths, opened: BTreeMap::new() }
    }

    fn opened(&mut self, module: &Module) -> Result<&Opened, Option<Problem>> {
        match self.opened.entry((module.path.clone(), module.build_id.clone())) {
            Entry::Occupied(opened) => Ok(opened.into_mut()),
            Entry::Vacant(not_yet) => Ok(not_yet.insert(open(&self.symbol_paths, module)?)),
        }
    }
}

fn open(symbol_paths: &[PathBuf], module: &Module) -> Result<Opened, Option<Problem>> {
    let debug_dirs = debug_dirs(symbol_paths);
    let Found { file, debug } = find(symbol_paths, &debug_dirs, module)?;
    match Reader::open(&file, debug, &debug_dirs) {
        Ok(reader) => Ok(Opened { file, reader }),
        Err(cause) => Err(Some(Problem::Unreadable { file, cause })),
    }
}

/// Where files are looked for that executables name.
fn debug_dirs(symbol_paths: &[PathBuf]) -> Vec<&Path> {
    symbol_paths.iter().map(PathBuf::as_path).chain([Path::new(SYSTEM_DEBUG_DIR)]).collect()
}

/// The first match that has debug information, else the first match.
fn find(
    symbol_paths: &[PathBuf],
    debug_dirs: &[&Path],
    module: &Module,
) -> Result<Found, Option<Problem>> {
    let path = Path::new(&module.path);
    if !path.is_absolute() {
        return Err(None);
    }
    let Some(recorded) = &module.build_id else {
        return unchecked(symbol_paths, debug_dirs, path);
    };
    let mut best: Option<Found> = None;
    for file in candidates(symbol_paths, path, recorded) {
        let Ok(facts) = Facts::read(&file, debug_dirs) else { continue };
        if facts.build_id.as_ref() != Some(recorded) {
            continue;
        }
        if best.as_ref().is_none_or(|best| best.debug == Debug::None && facts.debug != Debug::None)
        {
            best = Some(Found { file, debug: facts.debug });
        }
    }
    best.ok_or_else(|| Some(why_none(path, debug_dirs, recorded)))
}

fn candidates(symbol_paths: &[PathBuf], module: &Path, build_id: &str) -> Vec<PathBuf> {
    let by_id = by_build_id(build_id);
    let mut files = Vec::new();
    for given in symbol_paths {
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

impl Resolve for ElfResolver {
    fn resolve(&mut self, module: &Module, offsets: &[ModuleOffset]) -> Resolved {
        let opened = match self.opened(module) {
            Ok(opened) => opened,
            Err(problem) => return Resolved { names: BTreeMap::new(), problem },
        };
        match opened.reader.names(offsets) {
            Ok(names) => Resolved { problem: remark(&opened.file, &names), names },
            Err(cause) => {
                let problem = Some(Problem::Unreadable { file: opened.file.clone(), cause });
                Resolved { names: BTreeMap::new(), problem }
            }
        }
    }
}

/// What a person can do to get more than this.
fn remark(file: &Path, names: &Names) -> Option<Problem> {
    let file = file.to_owned();
    if names.is_empty() {
        return Some(Problem::NoSymbols { file });
    }
    // The standard library comes with lines of its own; system libraries cannot be rebuilt.
    let is_rust =
        |name: &&Name| name.function.contains("::") && Origin::of(name, "", "") != Origin::Std;
    let mut own = names.values().flatten().filter(is_rust).peekable();
    let no_lines = own.peek().is_some() && own.all(|name| name.line.is_none());
    if no_lines {
        return Some(Problem::NoLines { file });
    }
    names.values().any(|names| has_bare_names(names)).then_some(Problem::LinesOnly { file })
}

/// Whether an inlined function of Rust has its last name only.
fn has_bare_names(names: &[Name]) -> bool {
    let inlined = names.split_last().map_or(&[][..], |(_, inlined)| inlined);
    let is_rust = |name: &Name| name.file.as_deref().is_some_and(|file| file.ends_with(".rs"));
    inlined.iter().any(|name| is_rust(name) && is_bare(&name.function))
}

/// Without a build id anything could stand at the path that the recording names; only what the user
/// points at is believed.
fn unchecked(
    symbol_paths: &[PathBuf],
    debug_dirs: &[&Path],
    module: &Path,
) -> Result<Found, Option<Problem>> {
    let named = |file: &&PathBuf| file.file_name() == module.file_name() && file.is_file();
    let inside = |given: &PathBuf| Some(given.join(module.file_name()?));
    let given = symbol_paths.iter().map(|given| match given.is_dir() {
        true => inside(given).unwrap_or_default(),
        false => given.clone(),
    });
    let given: Vec<PathBuf> = given.collect();
    let Some(file) = given.iter().find(named) else {
        let module = module.to_owned();
        return Err(Some(match module.exists() {
            true => Problem::Unchecked { module },
            false => Problem::Missing { module },
        }));
    };
    match Facts::read(file, debug_dirs) {
        Ok(facts) => Ok(Found { file: file.clone(), debug: facts.debug }),
        Err(cause) => Err(Some(Problem::Unreadable { file: file.clone(), cause })),
    }
}

fn why_none(path: &Path, debug_dirs: &[&Path], recorded: &str) -> Problem {
    let module = path.to_owned();
    match Facts::read(path, debug_dirs) {
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
