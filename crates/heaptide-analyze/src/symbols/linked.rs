//! Files that an executable names: where its debug information lies, if not in itself.
//!
//! The reader opens whatever stands at these places. Who made the executable chose the names, so each is
//! looked at before: a pipe would block the reader for ever, to open a device may be an act, and a few
//! kilobytes can claim to unpack to exabytes.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use object::read::ReadCache;
use object::{Object, ObjectSection};

use super::compressed;
use super::regular::open_regular;

/// Whether the reader may open all that this file names, and that what it names names in turn.
pub(super) fn check<'data>(
    object: &impl Object<'data>,
    path: &Path,
    debug_dirs: &[&Path],
) -> Result<(), String> {
    check_package(path)?;
    for linked in debug_links(object, path, debug_dirs)? {
        check_file(&linked, |object| check_supplements(object, &linked, debug_dirs))?;
    }
    check_supplements(object, path, debug_dirs)
}

/// A `.dwp` beside the file, which has what was split off when it was compiled.
pub(super) fn package_of(path: &Path) -> PathBuf {
    let mut package = path.as_os_str().to_owned();
    package.push(".dwp");
    package.into()
}

/// The files that its debug link may mean, as far as they are there.
pub(super) fn debug_links<'data>(
    object: &impl Object<'data>,
    path: &Path,
    debug_dirs: &[&Path],
) -> Result<Vec<PathBuf>, String> {
    let Ok(Some((name, _))) = object.gnu_debuglink() else { return Ok(Vec::new()) };
    let name = Path::new(OsStr::from_bytes(name));
    // The name has no build id beside it: it must not lead anywhere but to where debuggers look.
    match name.file_name() == Some(name.as_os_str()) {
        true => Ok(places(name, path, debug_dirs)),
        false => Err(format!("its debug link `{}` is not the bare name of a file", name.display())),
    }
}

fn check_package(path: &Path) -> Result<(), String> {
    let package = package_of(path);
    match package.exists() {
        true => check_file(&package, |_| Ok(())),
        false => Ok(()),
    }
}

/// What several files have in common, moved into another; the reader compares its build id.
fn check_supplements<'data>(
    object: &impl Object<'data>,
    path: &Path,
    debug_dirs: &[&Path],
) -> Result<(), String> {
    let alternative = object.gnu_debugaltlink().ok().flatten().map(|(name, _)| name.to_owned());
    for name in alternative.into_iter().chain(supplement(object)) {
        let name = Path::new(OsStr::from_bytes(&name));
        places(name, path, debug_dirs).iter().try_for_each(|file| check_file(file, |_| Ok(())))?;
    }
    Ok(())
}

/// The name in `.debug_sup`: behind a version of two bytes, and one that says which of the two it is.
fn supplement<'data>(object: &impl Object<'data>) -> Option<Vec<u8>> {
    let section = object.section_by_name(".debug_sup")?;
    let name = section.data().ok()?.get(3..)?.split(|byte| *byte == 0).next()?;
    (!name.is_empty()).then(|| name.to_owned())
}

/// Where the reader looks for this name: beside the file, in the directories for debug files, and there
/// below the file's own path and each directory of it.
fn places(name: &Path, path: &Path, debug_dirs: &[&Path]) -> Vec<PathBuf> {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let dir = path.parent().unwrap_or(Path::new("/"));
    let below = dir.strip_prefix("/").unwrap_or(dir);
    let in_debug_dirs = debug_dirs.iter().flat_map(|debug_dir| {
        below.ancestors().map(move |ancestor| debug_dir.join(ancestor).join(name))
    });
    let all = std::iter::once(dir.join(name)).chain(in_debug_dirs);
    all.filter(|place| *place != path && place.exists()).collect()
}

fn check_file(
    path: &Path,
    and: impl for<'data> FnOnce(&object::File<'data, &'data ReadCache<File>>) -> Result<(), String>,
) -> Result<(), String> {
    let wrong = |cause: String| format!("it names {}: {cause}", path.display());
    let cache = ReadCache::new(open_regular(path).map_err(wrong)?);
    // What is no object is refused by the reader, too.
    let Ok(object) = object::File::parse(&cache) else { return Ok(()) };
    compressed::check(&object, &cache).map_err(wrong)?;
    and(&object)
}
