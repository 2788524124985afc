//! Where a recording goes: the file that an output means, and the names beside it.
//!
//! Links are followed once, at the start, so that a link stays a link whatever is renamed beside its
//! target, and so that nobody can turn them later. In a directory that everybody may write to, links
//! and pipes of others are refused: they would let anyone choose which of our files is replaced.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Component, Path, PathBuf};

use heaptide_format::Header;

use super::disk;
use crate::sys;

/// What an output means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A regular file, there or not: it gets segments, and what is there is kept beside it.
    File(PathBuf),
    /// A pipe, a device, or what another descriptor has open: written to as it is.
    Stream(PathBuf),
}

/// As many links as the kernel follows.
const MOST_LINKS: u32 = 40;

impl Place {
    /// The place of `output`, whose directories are made. A directory (or a path that ends in a slash)
    /// gets a file named after executable and process; the child of a process that was told a file gets
    /// one beside it.
    pub(crate) fn of(output: &Path, header: &Header) -> io::Result<Self> {
        let pid = header.pid;
        let names_folder = output.as_os_str().as_encoded_bytes().ends_with(b"/");
        let mut path = std::path::absolute(output)?;
        let is_folder = names_folder || path.is_dir();
        if is_folder {
            let stem = Path::new(&header.exe).file_stem().unwrap_or_default().to_string_lossy();
            path.push(format!("{stem}.{pid}.jsonl"));
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let place = follow_links(&path)?;
        Ok(match place {
            Self::File(path) if header.parent.is_some() && !is_folder => {
                Self::File(with_pid(&path, pid))
            }
            place => place,
        })
    }
}

/// The same file, with no link on the way.
fn follow_links(path: &Path) -> io::Result<Place> {
    let mut real = PathBuf::from("/");
    let mut left: VecDeque<OsString> = parts(path).collect();
    let mut n_links = 0;
    while let Some(part) = left.pop_front() {
        if part == ".." {
            real.pop();
            continue;
        }
        let here = real.join(&part);
        let Ok(metadata) = fs::symlink_metadata(&here) else {
            real = here;
            continue;
        };
        if metadata.is_symlink() {
            if is_descriptor(&here) {
                return Ok(Place::Stream(here));
            }
            refuse_if_foreign(&here, &metadata)?;
            n_links += 1;
            if n_links > MOST_LINKS {
                return Err(io::Error::from_raw_os_error(libc::ELOOP));
            }
            let target = fs::read_link(&here)?;
            if target.is_absolute() {
                real = PathBuf::from("/");
            }
            let behind = std::mem::take(&mut left);
            left = parts(&target).chain(behind).collect();
            continue;
        }
        if left.is_empty() && !metadata.is_file() {
            if metadata.file_type().is_socket() {
                return Err(io::Error::other("it is a socket, which cannot be opened as a file"));
            }
            refuse_if_foreign(&here, &metadata)?;
            return Ok(Place::Stream(here));
        }
        real = here;
    }
    Ok(Place::File(real))
}

fn parts(path: &Path) -> impl Iterator<Item = OsString> {
    let parts = path.components().filter_map(|component| match component {
        Component::ParentDir => Some("..".into()),
        Component::Normal(part) => Some(part.to_owned()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    parts.collect::<Vec<_>>().into_iter()
}

/// Whether it is one of the links by which the kernel shows descriptors: what is behind it is open
/// already, and may have no name of its own (`/dev/stdout` leads here).
fn is_descriptor(link: &Path) -> bool {
    let in_fd = link.parent().is_some_and(|folder| folder.ends_with("fd"));
    in_fd && link.starts_with("/proc")
}

/// As the kernel does for links and pipes in sticky directories, where it is told to.
fn refuse_if_foreign(path: &Path, metadata: &Metadata) -> io::Result<()> {
    const ANYBODY_MAY_WRITE: u32 = 0o002;
    let Some(folder) = path.parent() else { return Ok(()) };
    let folder = fs::metadata(folder)?;
    let is_shared = folder.mode() & ANYBODY_MAY_WRITE != 0;
    let owner = metadata.uid();
    if !is_shared || owner == sys::effective_user_id() || owner == folder.uid() {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!(
            "{} belongs to user {owner} and lies in a directory that everybody may write to; \
             choose another directory",
            path.display()
        ),
    ))
}

/// The name of a later segment.
pub(crate) fn segment_path(first: &Path, number: u32) -> PathBuf {
    before_ending(first, &format!("{number:03}"))
}

/// The name for one of several processes that were told the same.
pub(crate) fn with_pid(path: &Path, pid: u32) -> PathBuf {
    before_ending(path, &pid.to_string())
}

/// A name in the same directory that no reader takes for a recording.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// `shop.jsonl` with `part` becomes `shop.part.jsonl`.
fn before_ending(path: &Path, part: &str) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let ending = path.extension().map(|ending| ending.to_string_lossy());
    let ending = ending.map_or(String::new(), |ending| format!(".{ending}"));
    path.with_file_name(format!("{stem}.{part}{ending}"))
}

/// Renames what is in the way to the first free `NAME.1`, `NAME.2`, …, replacing nothing.
pub(crate) fn set_aside(path: &Path) -> io::Result<()> {
    for n in 1.. {
        let free = beside(path, &format!(".{n}"));
        match disk::rename_if_free(path, &free) {
            Ok(()) => return Ok(()),
            Err(err) if err.kind() == io::ErrorKind::AlreadyExists => {}
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(err) if !has_no_links(&err) => return Err(err),
            Err(_) if !free.exists() => return disk::rename(path, &free),
            Err(_) => {}
        }
    }
    Ok(())
}

/// Whether the file system refused because it knows no second names.
pub(crate) fn has_no_links(err: &io::Error) -> bool {
    matches!(err.raw_os_error(), Some(libc::EPERM | libc::EOPNOTSUPP | libc::ENOSYS | libc::EMLINK))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("heaptide-place-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder");
        folder.canonicalize().expect("it is there")
    }

    #[test]
    fn links_are_followed_to_what_they_name() {
        let folder = folder("links");
        let check = |output: PathBuf, place: Place| {
            let header = Header { exe: "/srv/shop".into(), pid: 7, ..Header::default() };
            assert_eq!(
                Place::of(&output, &header).expect("a place"),
                place,
                "{}",
                output.display()
            );
        };
        let file = |name: &str| Place::File(folder.join(name));
        fs::create_dir(folder.join("real")).expect("a folder");
        symlink("real", folder.join("dir")).expect("a link");
        symlink("dir/shop.jsonl", folder.join("latest")).expect("a link");
        symlink("latest", folder.join("again")).expect("a link");
        check(folder.join("new.jsonl"), file("new.jsonl"));
        check(folder.join("dir"), file("real/shop.7.jsonl"));
        check(folder.join("dir/../dir/x.jsonl"), file("real/x.jsonl"));
        check(folder.join("again"), file("real/shop.jsonl"));
        check("/dev/null".into(), Place::Stream("/dev/null".into()));
        let stdout = Place::of(Path::new("/dev/stdout"), &Header::default()).expect("a place");
        assert!(matches!(stdout, Place::Stream(_)), "{stdout:?}");
        symlink("circle", folder.join("circle")).expect("a link");
        assert!(Place::of(&folder.join("circle"), &Header::default()).is_err());
        fs::remove_dir_all(&folder).expect("it is ours");
    }

    #[test]
    fn a_child_has_a_name_of_its_own() {
        let folder = folder("child");
        let parent = Some(heaptide_format::Parent::default());
        let header = Header { exe: "/srv/shop".into(), pid: 8, parent, ..Header::default() };
        let place = |output: &Path| Place::of(output, &header).expect("a place");
        assert_eq!(place(&folder), Place::File(folder.join("shop.8.jsonl")));
        let file = folder.join("x.jsonl");
        assert_eq!(place(&file), Place::File(folder.join("x.8.jsonl")));
        fs::remove_dir_all(&folder).expect("it is ours");
    }

    /// The rule itself; that a link of another user is one takes two users.
    #[test]
    fn another_users_link_in_a_shared_directory_is_refused() {
        use std::os::unix::fs::{PermissionsExt, lchown};
        let folder = folder("shared");
        let link = folder.join("shop.jsonl");
        symlink("/tmp/elsewhere.jsonl", &link).expect("a link");
        let shared = fs::Permissions::from_mode(0o1777);
        fs::set_permissions(&folder, shared).expect("it is ours");
        assert!(Place::of(&link, &Header::default()).is_ok(), "it is our own");
        const NOBODY: u32 = 65534;
        if lchown(&link, Some(NOBODY), None).is_ok() {
            let refused = Place::of(&link, &Header::default()).expect_err("it is nobody's");
            assert!(refused.to_string().contains("user 65534"), "{refused}");
        }
        fs::remove_dir_all(&folder).expect("it is ours");
    }
}
