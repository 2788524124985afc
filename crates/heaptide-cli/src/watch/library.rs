//! Which recordings a directory holds, and which of them have changed.
//!
//! Files appear, grow, rotate and vanish while we look. What is found is what was there at one look;
//! what cannot be read is not there. A header is read once, so that a look costs one `stat` a file.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use heaptide_format::Header;
use sha2::{Digest, Sha256};

use super::recordings::segment;

/// Files beyond these, the oldest, are left alone.
const MOST_FILES: usize = 4_000;
/// Recordings beyond these, those that were written to longest ago, are left alone.
pub(crate) const MOST_RECORDINGS: usize = 200;

/// What a recording goes by outside: made from its own name, which is somebody else's text.
pub(crate) type Id = String;

/// A file as it was at one look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    n_bytes: u64,
    modified: (i64, i64),
}

impl Stamp {
    /// Of a file that is there.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            n_bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        })
    }
}

/// A file whose header was read.
#[derive(Clone, Debug)]
struct Known {
    stamp: Stamp,
    header: Option<Header>,
}

/// A recording of the directory.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) header: Header,
    pub(crate) files: Vec<PathBuf>,
    stamps: Vec<Stamp>,
}

impl Found {
    /// Whether it has not changed since.
    pub(crate) fn is_as(&self, before: &Self) -> bool {
        self.files == before.files && self.stamps == before.stamps
    }

    pub(crate) fn n_bytes(&self) -> u64 {
        self.stamps.iter().map(|stamp| stamp.n_bytes).sum()
    }

    /// Its files as they were.
    pub(crate) fn stamped(self) -> impl Iterator<Item = (PathBuf, Stamp)> {
        self.files.into_iter().zip(self.stamps)
    }

    fn last_modified(&self) -> (i64, i64) {
        self.stamps.iter().map(|stamp| stamp.modified).max().unwrap_or_default()
    }
}

/// A directory of recordings.
#[derive(Debug)]
pub(crate) struct Library {
    dir: PathBuf,
    known: BTreeMap<PathBuf, Known>,
}

impl Library {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir, known: BTreeMap::new() }
    }

    /// Looks once.
    ///
    /// # Errors
    /// The directory cannot be listed.
    pub(crate) fn look(&mut self) -> std::io::Result<BTreeMap<Id, Found>> {
        let mut files = files_in(&self.dir)?;
        files.sort_by_key(|(path, stamp)| (std::cmp::Reverse(stamp.modified), path.clone()));
        files.truncate(MOST_FILES);
        files.sort_by(|a, b| a.0.cmp(&b.0));
        let mut known = BTreeMap::new();
        let mut found: BTreeMap<Id, Found> = BTreeMap::new();
        for (path, stamp) in files {
            let before = self.known.remove(&path);
            // A header never changes; a file that was torn when it was begun has none yet.
            let same = before.filter(|it| is_same_file(&it.stamp, &stamp));
            let header = same.and_then(|it| it.header);
            let header = header.or_else(|| segment(&path).map(|segment| segment.header));
            if let Some(header) = &header {
                let recording = found.entry(id_of(header)).or_insert_with(|| Found {
                    header: header.clone(),
                    files: Vec::new(),
                    stamps: Vec::new(),
                });
                recording.files.push(path.clone());
                recording.stamps.push(stamp.clone());
            }
            known.insert(path, Known { stamp, header });
        }
        self.known = known;
        Ok(latest(found))
    }
}

fn is_same_file(a: &Stamp, b: &Stamp) -> bool {
    (a.device, a.inode) == (b.device, b.inode) && a.n_bytes <= b.n_bytes
}

fn latest(mut found: BTreeMap<Id, Found>) -> BTreeMap<Id, Found> {
    if found.len() > MOST_RECORDINGS {
        let mut by_age: Vec<_> =
            found.iter().map(|(id, it)| (it.last_modified(), id.clone())).collect();
        by_age.sort();
        let n_old = by_age.len() - MOST_RECORDINGS;
        by_age.iter().take(n_old).for_each(|(_, id)| drop(found.remove(id)));
    }
    found
}

/// The recordings in a directory: files, and links that do not lead out of it.
fn files_in(dir: &Path) -> std::io::Result<Vec<(PathBuf, Stamp)>> {
    let (entries, real_dir) = (fs::read_dir(dir)?, dir.canonicalize()?);
    let file = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry.ok()?;
        let path = entry.path();
        let is_recording = path.extension().is_some_and(|extension| extension == "jsonl");
        let is_inside = || {
            entry.file_type().is_ok_and(|it| it.is_file())
                || path.canonicalize().is_ok_and(|real| real.parent() == Some(&*real_dir))
        };
        if !is_recording || !is_inside() {
            return None;
        }
        let stamp = Stamp::of(&path)?;
        Some((path, stamp))
    };
    Ok(entries.filter_map(file).collect())
}

fn id_of(header: &Header) -> Id {
    let digest = Sha256::digest(format!("{}\0{}\0{}", header.host, header.pid, header.recording));
    digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use heaptide_format::Line;

    use super::*;

    fn write(path: &Path, recording: &str, more: &str) {
        let header = Header { recording: recording.to_owned(), pid: 7, ..Header::default() };
        let mut bytes = Vec::new();
        Line::Header(header).write_to(&mut bytes);
        bytes.extend_from_slice(more.as_bytes());
        fs::write(path, bytes).expect("the directory can be written to");
    }

    #[test]
    fn recordings_appear_grow_rotate_tear_and_vanish() -> anyhow::Result<()> {
        let dir = tempfile::tempdir()?;
        let path = |name: &str| dir.path().join(name);
        let mut library = Library::new(dir.path().canonicalize()?);
        let mut look = || library.look().map(|found| found.into_values().collect::<Vec<_>>());
        assert_eq!(look()?.len(), 0);
        write(&path("a.jsonl"), "a", "");
        fs::write(path("torn.jsonl"), "{\"kind\":\"header\",\"for")?;
        fs::write(path("notes.txt"), "{}")?;
        fs::create_dir(path("dir.jsonl"))?;
        let first = look()?;
        assert_eq!(first.len(), 1, "{first:?}");
        assert!(look()?[0].is_as(&first[0]), "nothing has changed");
        write(&path("a.jsonl"), "a", "{\"kind\":\"later\"}\n");
        let grown = look()?;
        assert!(!grown[0].is_as(&first[0]));
        write(&path("a.1.jsonl"), "a", "");
        let rotated = look()?;
        assert_eq!((rotated.len(), rotated[0].files.len()), (1, 2));
        write(&path("torn.jsonl"), "b", "");
        assert_eq!(look()?.len(), 2, "what was torn is whole now");
        fs::remove_file(path("a.jsonl"))?;
        fs::remove_file(path("a.1.jsonl"))?;
        assert_eq!(look()?.len(), 1);
        // Another file in the place of one that was known.
        fs::remove_file(path("torn.jsonl"))?;
        write(&path("torn.jsonl"), "c", "");
        assert_eq!(look()?[0].header.recording, "c");
        Ok(())
    }

    #[test]
    fn no_link_leads_out_of_the_directory() -> anyhow::Result<()> {
        let (dir, outside) = (tempfile::tempdir()?, tempfile::tempdir()?);
        write(&outside.path().join("b.jsonl"), "b", "");
        write(&dir.path().join("a.jsonl"), "a", "");
        let link = |to: &Path, name: &str| std::os::unix::fs::symlink(to, dir.path().join(name));
        link(&outside.path().join("b.jsonl"), "out.jsonl")?;
        link(Path::new("a.jsonl"), "in.jsonl")?;
        let found = Library::new(dir.path().canonicalize()?).look()?;
        let files: Vec<_> = found.values().flat_map(|it| &it.files).collect();
        let names: Vec<_> = files.iter().filter_map(|path| path.file_name()?.to_str()).collect();
        assert_eq!(names, ["a.jsonl", "in.jsonl"]);
        Ok(())
    }
}
