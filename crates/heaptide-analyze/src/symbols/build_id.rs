//! What an ELF file says of itself, read without loading all of it.

use std::path::Path;

use object::read::ReadCache;
use object::{Object, ObjectSection};

use super::contained::contained;
use super::regular::open_regular;
use super::{compressed, linked};
use crate::limits::MOST_UNPACKED_BYTES;

/// The facts that choose a file and a way to read it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// Lower-case hex.
    pub(super) build_id: Option<String>,
    pub(super) debug: Debug,
}

/// How much debug information there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Debug {
    /// None that was found.
    #[default]
    None,
    /// In the file itself, behind its debug link, or in a `.dwp` beside it.
    Whole,
    /// In `.dwo` files that the file points to.
    Unpacked,
}

impl Facts {
    /// Reads the file at this path, and looks at those that it names, in `debug_dirs` too.
    pub(super) fn read(path: &Path, debug_dirs: &[&Path]) -> Result<Self, String> {
        contained(|| {
            let cache = ReadCache::new(open_regular(path)?);
            let object = object::File::parse(&cache).map_err(|err| format!("not ELF: {err}"))?;
            compressed::check(&object, &cache)?;
            linked::check(&object, path, debug_dirs)?;
            let build_id = object.build_id().ok().flatten().map(hex);
            Ok(Self { build_id, debug: debug_of(&object, path, debug_dirs)? })
        })
    }
}

fn debug_of<'data>(
    object: &impl Object<'data>,
    path: &Path,
    debug_dirs: &[&Path],
) -> Result<Debug, String> {
    let has = |name| object.section_by_name(name).is_some_and(|section| section.size() > 0);
    let in_file = has(".debug_info");
    if in_file && points_to_dwo(object) && !linked::package_of(path).exists() {
        return Ok(Debug::Unpacked);
    }
    Ok(match in_file || !linked::debug_links(object, path, debug_dirs)?.is_empty() {
        true => Debug::Whole,
        false => Debug::None,
    })
}

/// Names of split units end in `.dwo` and stand in one of these sections.
fn points_to_dwo<'data>(object: &impl Object<'data>) -> bool {
    [".debug_str", ".debug_line_str"].iter().any(|name| {
        let section = object
            .section_by_name(name)
            .filter(|section| compressed::unpacked_bytes(section) <= MOST_UNPACKED_BYTES);
        let text = section.and_then(|section| section.uncompressed_data().ok());
        text.is_some_and(|text| text.windows(5).any(|bytes| bytes == b".dwo\0"))
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
