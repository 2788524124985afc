//! What an executable shows of itself before it has run: how well it will be named, and who besides
//! the shim hands out memory in it.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

use heaptide_format::{Module, ModuleId, ModuleOffset};
use object::elf::{DT_NEEDED, FileHeader64};
use object::endian::Endianness;
use object::read::ReadCache;
use object::read::elf::{Dyn, ElfFile, FileHeader};
use object::{Object, ObjectSymbol, SymbolKind};

use super::build_id::Facts;
use super::contained::contained;
use super::problem::Problem;
use super::regular::open_regular;
use super::resolve::Resolve;

/// So many functions, evenly chosen, show how an executable is named.
const FUNCTIONS_LOOKED_UP: usize = 500;

/// Allocators that programs of Rust have besides the system's: how the names of their functions
/// begin, what they are called, and the type that a program wraps.
const ALLOCATORS: [(&str, &str, &str); 5] = [
    ("_rjem_", "jemalloc", "tikv_jemallocator::Jemalloc"),
    ("je_", "jemalloc", "tikv_jemallocator::Jemalloc"),
    ("mi_malloc", "mimalloc", "mimalloc::MiMalloc"),
    ("tc_malloc", "tcmalloc", "tcmalloc::TCMalloc"),
    ("sn_rust_alloc", "snmalloc", "snmalloc_rs::SnMalloc"),
];

/// Libraries whose memory is not worth a word: the C library's own, and the compiler's.
const OF_THE_SYSTEM: [&str; 9] = [
    "libc.",
    "libm.",
    "libgcc_s",
    "ld-linux",
    "ld-musl",
    "libpthread",
    "libdl",
    "librt",
    "linux-vdso",
];

/// An allocator besides the system's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OtherAllocator {
    /// What it is called.
    pub name: &'static str,
    /// The type that a program would wrap with the shim.
    pub type_name: &'static str,
}

/// An executable, looked at without running it.
#[derive(Clone, Debug, Default)]
pub struct Executable {
    /// Lower-case hex; absent if it was linked without.
    pub build_id: Option<String>,
    /// Why its functions will not be named in full, if so.
    pub problem: Option<Problem>,
    /// Shared libraries besides the system's: what code in C allocates there is not recorded.
    pub libraries: Vec<String>,
    /// Allocators besides the system's.
    pub allocators: BTreeSet<OtherAllocator>,
}

impl Executable {
    /// Looks at the file at this absolute path.
    ///
    /// # Errors
    /// It cannot be opened, or is no executable of this system: a sentence without its full stop.
    pub fn read(path: &Path, resolver: &mut dyn Resolve) -> Result<Self, String> {
        let Facts { build_id, .. } = Facts::read(path, &[])?;
        let seen = contained(|| Seen::read(path))?;
        let module = Module {
            id: ModuleId(0),
            path: path.display().to_string(),
            build_id: build_id.clone(),
            bias: ModuleOffset(0),
        };
        let problem = match seen.offsets.is_empty() {
            true => Some(Problem::NoSymbols { file: path.to_owned() }),
            false => resolver.resolve(&module, &seen.offsets).problem,
        };
        let Seen { libraries, allocators, .. } = seen;
        Ok(Self { build_id, problem, libraries, allocators })
    }
}

/// What the tables of an executable show.
struct Seen {
    allocators: BTreeSet<OtherAllocator>,
    libraries: Vec<String>,
    /// Inside a few of its functions.
    offsets: Vec<ModuleOffset>,
}

impl Seen {
    fn read(path: &Path) -> Result<Self, String> {
        let cache = ReadCache::new(open_regular(path)?);
        let elf = ElfFile::<FileHeader64<Endianness>, _>::parse(&cache)
            .map_err(|err| format!("not a 64-bit ELF file: {err}"))?;
        let functions: Vec<_> =
            elf.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text).collect();
        let names = functions.iter().filter_map(|symbol| symbol.name().ok());
        let allocators = names.filter_map(other_allocator).collect();
        let inside =
            functions.iter().map(|symbol| symbol.address().saturating_add(symbol.size() / 2));
        let offsets = evenly(inside.filter(|address| *address > 0).collect());
        Ok(Self { allocators, libraries: libraries(&elf), offsets })
    }
}

/// At most [`FUNCTIONS_LOOKED_UP`] of them, sorted.
fn evenly(mut addresses: Vec<u64>) -> Vec<ModuleOffset> {
    addresses.sort_unstable();
    addresses.dedup();
    let step = addresses.len().div_ceil(FUNCTIONS_LOOKED_UP).max(1);
    addresses.into_iter().step_by(step).map(ModuleOffset).collect()
}

fn other_allocator(function: &str) -> Option<OtherAllocator> {
    let (_, name, type_name) =
        ALLOCATORS.into_iter().find(|(prefix, ..)| function.starts_with(prefix))?;
    Some(OtherAllocator { name, type_name })
}

fn libraries<'a>(elf: &ElfFile<'a, FileHeader64<Endianness>, &'a ReadCache<File>>) -> Vec<String> {
    let (endian, data) = (elf.endian(), elf.data());
    let needed = || -> object::Result<Vec<String>> {
        let sections = elf.elf_header().sections(endian, data)?;
        let Some((entries, strings)) = sections.dynamic(endian, data)? else {
            return Ok(Vec::new());
        };
        let strings = sections.strings(endian, data, strings)?;
        let needed = entries.iter().filter(|entry| entry.tag(endian) == DT_NEEDED);
        let names = needed.filter_map(|entry| entry.string(endian, strings).ok());
        Ok(names.map(|name| String::from_utf8_lossy(name).into_owned()).collect())
    };
    let mut libraries = needed().unwrap_or_default();
    libraries.retain(|name| !OF_THE_SYSTEM.iter().any(|known| name.starts_with(known)));
    libraries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::symbols::ElfResolver;

    #[test]
    fn the_tests_themselves_are_named_and_linked_with_an_id() -> Result<(), String> {
        let path = std::env::current_exe().map_err(|err| err.to_string())?;
        let found = Executable::read(&path, &mut ElfResolver::new(Vec::new()))?;
        assert!(found.build_id.is_some() && found.problem.is_none(), "{found:?}");
        assert!(found.allocators.is_empty() && found.libraries.is_empty(), "{found:?}");
        let manifest = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
        assert!(Executable::read(manifest, &mut ElfResolver::new(Vec::new())).is_err());
        Ok(())
    }

    #[test]
    fn an_allocator_is_known_by_its_functions() {
        let check = |function: &str, expected: Option<&str>| {
            assert_eq!(other_allocator(function).map(|it| it.name), expected, "{function}");
        };
        check("_rjem_mallocx", Some("jemalloc"));
        check("mi_malloc_aligned", Some("mimalloc"));
        check("malloc", None);
        check("shop::mi_malloc", None);
    }

    #[test]
    fn a_few_functions_are_looked_up_of_many() {
        let n = |n: u64| evenly((0..n).rev().collect()).len();
        assert_eq!((n(0), n(3), n(500), n(501)), (0, 3, 500, 251));
        assert!(n(1_000_000) <= FUNCTIONS_LOOKED_UP);
    }
}
