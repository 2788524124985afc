//! What an ELF file says of itself, read without loading all of it.

use std::fs::File;
use std::path::{Path, PathBuf};

use object::read::ReadCache;
use object::{Object, ObjectSection};

use super::compressed;

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
        let file = open_regular(path)?;
        let cache = ReadCache::new(file);
        let object = object::File::parse(&cache).map_err(|err| format!("not ELF: {err}"))?;
        compressed::check(&object, &cache)?;
        linked_files(&object, path).iter().chain([&dwp_of(path)]).try_for_each(|linked| {
            let Ok(file) = open_regular(linked) else { return Ok(()) };
            let cache = ReadCache::new(file);
            object::File::parse(&cache).map_or(Ok(()), |object| compressed::check(&object, &cache))
        })?;
        let build_id = object.build_id().ok().flatten().map(hex);
        Ok(Self { build_id, debug: debug_of(&object, path) })
    }
}

/// A path that a recording names may be a pipe, which would block for ever, or a device, of which to
/// open it may be an act.
fn open_regular(path: &Path) -> Result<File, String> {
    let regular = |it: std::io::Result<std::fs::Metadata>| match it {
        Ok(found) if found.is_file() => Ok(()),
        Ok(_) => Err("not a regular file, so it was not opened".to_owned()),
        Err(err) => Err(err.to_string()),
    };
    regular(path.metadata())?;
    let file = File::open(path).map_err(|err| err.to_string())?;
    regular(file.metadata()).map(|()| file)
}

fn debug_of<'data>(object: &impl Object<'data>, path: &Path) -> Debug {
    let has = |name| object.section_by_name(name).is_some_and(|section| section.size() > 0);
    let in_file = has(".debug_info");
    if in_file && points_to_dwo(object) && !dwp_of(path).exists() {
        return Debug::Unpacked;
    }
    match in_file || !linked_files(object, path).is_empty() {
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

fn dwp_of(path: &Path) -> PathBuf {
    let mut dwp = path.as_os_str().to_owned();
    dwp.push(".dwp");
    dwp.into()
}

/// The files with its debug information, where debuggers look for them.
fn linked_files<'data>(object: &impl Object<'data>, path: &Path) -> Vec<PathBuf> {
    let Ok(Some((name, _))) = object.gnu_debuglink() else { return Vec::new() };
    let name = String::from_utf8_lossy(name).into_owned();
    let dir = path.parent().unwrap_or(Path::new("."));
    let places = [dir.join(&name), dir.join(".debug").join(&name)];
    places.into_iter().filter(|linked| linked.is_file()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
