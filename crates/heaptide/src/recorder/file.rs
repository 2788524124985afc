//! The files of a recording: whole lines, appended; segments; a cap on their total size.
//!
//! The first segment has the name that was asked for, the next ones a number before the ending:
//! `shop.jsonl`, `shop.001.jsonl`, `shop.002.jsonl`. Every segment can be read alone.

#![forbid(unsafe_code)]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::mem;
use std::os::fd::IntoRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use heaptide_format::Header;

use super::decimate::thin;
use super::error::Error;

/// Where a recording goes.
#[derive(Debug)]
pub(crate) struct SegmentedFile {
    first: PathBuf,
    number: u32,
    current: Open,
    /// Earlier segments and their sizes.
    closed: Vec<(PathBuf, u64)>,
    segment_bytes: u64,
    total_bytes: u64,
}

/// The segment being written.
#[derive(Debug)]
struct Open {
    path: PathBuf,
    file: File,
    /// Device and inode: which file the descriptor must still be.
    identity: (u64, u64),
    /// Bytes of whole lines.
    written: u64,
}

impl SegmentedFile {
    /// Makes the file that `output` names; a file already there is renamed and kept.
    pub(crate) fn create(
        output: &Path,
        header: &Header,
        segment_bytes: u64,
        total_bytes: u64,
    ) -> Result<Self, Error> {
        let first = resolve(output, header);
        let cannot = |source| Error::Output { path: first.clone(), source };
        if let Some(folder) = first.parent() {
            fs::create_dir_all(folder).map_err(cannot)?;
        }
        let current = Open::claim(&first, header.pid).map_err(cannot)?;
        let first = current.path.clone();
        Ok(Self { first, number: 0, current, closed: Vec::new(), segment_bytes, total_bytes })
    }

    /// Number of the segment being written, from 0.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Whether nothing is in the segment yet, so that it must begin with a header.
    pub(crate) fn is_empty(&self) -> bool {
        self.current.written == 0
    }

    /// Whether the segment is full, so that the next snapshot must begin a new one.
    pub(crate) fn wants_new_segment(&self) -> bool {
        self.current.written >= self.segment_bytes
    }

    /// Begins the next segment; how many old snapshots were dropped to make room.
    pub(crate) fn next_segment(&mut self) -> io::Result<u64> {
        self.current.file.sync_data()?;
        let path = segment_path(&self.first, self.number + 1);
        let next = Open::claim(&path, std::process::id())?;
        let full = mem::replace(&mut self.current, next);
        self.number += 1;
        self.closed.push((full.path, full.written));
        // What cannot be thinned now can be the next time.
        Ok(self.make_room())
    }

    /// Appends whole lines in one go. On failure nothing of them stays.
    pub(crate) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        self.current.recover()?;
        let appended = self.current.file.write_all(lines);
        match appended {
            Ok(()) => self.current.written += lines.len() as u64,
            // A torn line would make every later one unreadable.
            Err(_) => self.current.file.set_len(self.current.written)?,
        }
        appended
    }

    /// Waits until everything is on disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        match self.current.file.sync_all() {
            // A pipe or a device cannot be synchronised.
            Err(err) if err.kind() == io::ErrorKind::InvalidInput => Ok(()),
            synced => synced,
        }
    }

    /// Thins closed segments, oldest first, until the cap holds; segments that cannot be thinned
    /// further go as a whole.
    fn make_room(&mut self) -> u64 {
        let mut dropped = 0;
        let room = self.total_bytes.saturating_sub(self.segment_bytes);
        let mut at = 0;
        while self.closed.iter().map(|(_, bytes)| bytes).sum::<u64>() > room {
            let Some((path, bytes)) = self.closed.get_mut(at) else { break };
            match thin(path) {
                Ok(thinned) if thinned.n_dropped > 0 => {
                    dropped += thinned.n_dropped;
                    *bytes = thinned.bytes;
                    at += 1;
                }
                Ok(thinned) if fs::remove_file(&*path).is_ok() => {
                    dropped += thinned.n_kept;
                    self.closed.remove(at);
                }
                _ => at += 1,
            }
        }
        dropped
    }
}

impl Open {
    /// A new, empty file at `path` that no other process records to; what is there is set aside. If
    /// another process is recording to it, the file gets the process id in its name.
    fn claim(path: &Path, pid: u32) -> io::Result<Self> {
        let mut path = path.to_owned();
        for _ in 0..100 {
            let create_new =
                OpenOptions::new().create_new(true).append(true).mode(0o600).open(&path);
            match create_new {
                Err(err) if err.kind() == io::ErrorKind::AlreadyExists => {}
                created => return Self::of(path, created?),
            }
            let there = fs::metadata(&path);
            if there.as_ref().is_ok_and(|there| !there.is_file()) {
                // A pipe or a device, say: written to as it is.
                return Self::of(path.clone(), OpenOptions::new().append(true).open(&path)?);
            }
            let in_use = there.is_ok()
                && File::open(&path)
                    .is_ok_and(|file| matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock)));
            if in_use {
                path = with_pid(&path, pid);
            } else {
                set_aside(&path)?;
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    fn of(path: PathBuf, file: File) -> io::Result<Self> {
        // Held as long as the file is open. Where locks do not work, names alone keep us apart.
        let _ = file.try_lock();
        let identity = identity(&file)?;
        Ok(Self { path, file, identity, written: 0 })
    }

    /// Opens the file anew if the program closed our descriptor, as those do that close all they
    /// inherited; another file may have its number by now.
    fn recover(&mut self) -> io::Result<()> {
        if identity(&self.file).is_ok_and(|now| now == self.identity) {
            return Ok(());
        }
        let file = OpenOptions::new().append(true).open(&self.path)?;
        if identity(&file)? != self.identity {
            return Err(io::Error::other("the recording was moved away and its descriptor closed"));
        }
        // Not closed: the number is not ours any more.
        let _ = mem::replace(&mut self.file, file).into_raw_fd();
        Ok(())
    }
}

fn identity(file: &File) -> io::Result<(u64, u64)> {
    let metadata = file.metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}

/// A directory (or a path that ends in a slash) gets a file named after executable and process.
fn resolve(output: &Path, header: &Header) -> PathBuf {
    let names_folder = output.as_os_str().as_encoded_bytes().ends_with(b"/");
    if !names_folder && !output.is_dir() {
        return output.to_owned();
    }
    let exe = Path::new(&header.exe).file_stem().unwrap_or_default().to_string_lossy();
    output.join(format!("{exe}.{}.jsonl", header.pid))
}

fn segment_path(first: &Path, number: u32) -> PathBuf {
    before_ending(first, &format!("{number:03}"))
}

fn with_pid(path: &Path, pid: u32) -> PathBuf {
    before_ending(path, &pid.to_string())
}

/// `shop.jsonl` with `part` becomes `shop.part.jsonl`.
fn before_ending(path: &Path, part: &str) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let ending = path.extension().map(|ending| ending.to_string_lossy());
    let ending = ending.map_or(String::new(), |ending| format!(".{ending}"));
    path.with_file_name(format!("{stem}.{part}{ending}"))
}

/// Renames what is in the way to the first free `NAME.1`, `NAME.2`, …, replacing nothing.
fn set_aside(path: &Path) -> io::Result<()> {
    for n in 1.. {
        let mut free = path.as_os_str().to_owned();
        free.push(format!(".{n}"));
        match fs::hard_link(path, &free) {
            Ok(()) => return fs::remove_file(path),
            Err(err) if err.kind() == io::ErrorKind::AlreadyExists => {}
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(()),
            // No hard links here.
            Err(_) if !Path::new(&free).exists() => return fs::rename(path, &free),
            Err(_) => {}
        }
    }
    Ok(())
}
