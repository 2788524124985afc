//! What an ELF file says of itself, read without loading all of it.

use std::fs::File;
use std::path::Path;

use object::read::ReadCache;
use object::{Object, ObjectSection};

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
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let file = File::open(path).map_err(|err| err.to_string())?;
        let cache = ReadCache::new(file);
        let object = object::File::parse(&cache).map_err(|err| format!("not ELF: {err}"))?;
        let build_id = object.build_id().ok().flatten().map(hex);
        Ok(Self { build_id, debug: debug_of(&object, path) })
    }
}

fn debug_of<'data>(object: &impl Object<'data>, path: &Path) -> Debug {
    let has = |name| object.section_by_name(name).is_some_and(|section| section.size() > 0);
    let in_file = has(".debug_info");
    if in_file && points_to_dwo(object) && !dwp_of(path).exists() {
        return Debug::Unpacked;
    }
    match in_file || linked_file_exists(object, path) {
        true => Debug::Whole,
        false => Debug::None,
    }
}

/// Names of split units end in `.dwo` and stand in one of these sections.
fn points_to_dwo<'data>(object: &impl Object<'data>) -> bool {
    [".debug_str", ".debug_line_str"].iter().any(|name| {
        let section = object.section_by_name(name);
        let text = section.and_then(|section| section.uncompressed_data().ok());
        text.is_some_and(|text| text.windows(5).any(|bytes| bytes == b".dwo\0"))
    })
}

fn dwp_of(path: &Path) -> std::path::PathBuf {
    let mut dwp = path.as_os_str().to_owned();
    dwp.push(".dwp");
    dwp.into()
}

fn linked_file_exists<'data>(object: &impl Object<'data>, path: &Path) -> bool {
    let Ok(Some((name, _))) = object.gnu_debuglink() else { return false };
    let name = String::from_utf8_lossy(name).into_owned();
    let dir = path.parent().unwrap_or(Path::new("."));
    dir.join(&name).exists() || dir.join(".debug").join(&name).exists()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
