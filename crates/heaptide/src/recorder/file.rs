//! One open file of a recording: a segment, or a pipe that somebody reads.
//!
//! A segment appears under its name with its header already in it, so that there is no moment at which
//! a crash would leave a file that is no recording; from then on it gets whole lines, and what arrived of
//! a torn one is cut off. From a pipe nothing can be taken back: of a line that went out in part, the
//! rest is sent before anything else.

#![forbid(unsafe_code)]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, IntoRawFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::disk;
use super::place::{beside, has_no_links, set_aside, with_pid};
use crate::sys;

/// Why lines were not written.
#[derive(Debug)]
pub(crate) struct Unwritten {
    pub(crate) source: io::Error,
    /// Whether the last line may still arrive: its beginning has.
    pub(crate) may_arrive: bool,
}

impl From<io::Error> for Unwritten {
    fn from(source: io::Error) -> Self {
        Self { source, may_arrive: false }
    }
}

/// A segment that is being written.
#[derive(Debug)]
pub(crate) struct SegmentFile {
    path: PathBuf,
    file: OwnFile,
    /// Bytes of whole lines.
    written: u64,
    /// Bytes may follow that are no whole line.
    is_torn: bool,
}

/// As many processes as are told the same name at the same time.
const MOST_NAMES: u32 = 100;

impl SegmentFile {
    /// A new file at `path` that no other process records to, with `header` in it; what is there is set
    /// aside. If another process is recording to it, the file gets the process id in its name.
    pub(crate) fn create(path: &Path, pid: u32, header: &[u8]) -> io::Result<Self> {
        let new = beside(path, &format!(".{pid}.new"));
        // Left by a process of this number that was killed just here.
        let _ = disk::remove(&new);
        let mut file = disk::create_new(&new)?;
        // Held as long as the file is open. Where locks do not work, names alone keep us apart.
        let _ = file.try_lock();
        let named = disk::write_all(&mut file, header).and_then(|()| take_name(&new, path, pid));
        let _ = disk::remove(&new);
        let written = header.len() as u64;
        Ok(Self { path: named?, file: OwnFile::new(file)?, written, is_torn: false })
    }

    /// What keeps its name ours while it is not written any more.
    pub(crate) fn into_name_guard(self) -> NameGuard {
        NameGuard(Some(self.file))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Appends whole lines in one go. On failure nothing of them stays.
    pub(crate) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let (written, is_torn) = (self.written, self.is_torn);
        let file = self.file()?;
        if file.metadata()?.nlink() == 0 {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "the recording was deleted while it was written",
            ));
        }
        if is_torn {
            disk::truncate(file, written)?;
        }
        let appended = disk::write_all(file, lines);
        match &appended {
            Ok(()) => self.written += lines.len() as u64,
            // A torn line would make every later one unreadable.
            Err(_) => self.is_torn = disk::truncate(file, written).is_err(),
        }
        appended
    }

    /// Waits until everything is on disk.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        disk::sync(self.file()?)
    }

    /// The file, opened anew if the program closed our descriptor, as those do that close all they
    /// inherited; another file may have its number by now.
    fn file(&mut self) -> io::Result<&mut File> {
        if self.file.get().is_none() {
            let again = OwnFile::new(disk::reopen(&self.path)?)?;
            if again.identity != self.file.identity {
                return Err(io::Error::other(
                    "the recording was moved away and its descriptor closed",
                ));
            }
            self.file = again;
        }
        self.file.get().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// Keeps other processes from taking the name of a file, by the lock on it.
#[derive(Debug, Default)]
pub(crate) struct NameGuard(#[expect(dead_code, reason = "held for its lock")] Option<OwnFile>);

impl NameGuard {
    /// Of a file that is locked. Without descriptors, names alone keep processes apart.
    pub(crate) fn of(file: File) -> Self {
        Self(OwnFile::new(file).ok())
    }
}

/// Gives the new file the first name, from `path` on, that is free or can be made so.
fn take_name(new: &Path, path: &Path, pid: u32) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MOST_NAMES {
        match disk::rename_if_free(new, &path) {
            Ok(()) => return Ok(path),
            Err(err) if has_no_links(&err) && !path.exists() => {
                return disk::rename(new, &path).map(|()| path);
            }
            Err(err) if err.kind() != io::ErrorKind::AlreadyExists && !has_no_links(&err) => {
                return Err(err);
            }
            Err(_) if is_in_use(&path) => path = with_pid(&path, pid),
            Err(_) => set_aside(&path)?,
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Whether a process is recording to the file.
fn is_in_use(path: &Path) -> bool {
    // Not through a link, and without waiting should it have become a pipe.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path);
    file.is_ok_and(|file| matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock)))
}

/// A pipe, a device, or a file that another descriptor has open.
#[derive(Debug)]
pub(crate) struct Stream {
    path: PathBuf,
    file: OwnFile,
    /// The rest of a line whose beginning was sent.
    unsent: Vec<u8>,
    /// A reader was waited for in vain, and has read nothing since: it is not waited for again.
    is_stalled: bool,
}

/// How long a snapshot waits for a reader: a snapshot may be lost, a signal that ends the process and
/// whoever asked for the snapshot may not wait much longer.
const READER_PATIENCE: Duration = Duration::from_secs(1);

impl Stream {
    /// Opens the stream, whether or not somebody reads it, and sends `header`, or as much as there is
    /// room for.
    pub(crate) fn open(path: &Path, header: &[u8]) -> io::Result<Self> {
        let file = OwnFile::new(open_stream(path)?)?;
        let mut stream =
            Self { path: path.to_owned(), file, unsent: header.to_vec(), is_stalled: false };
        stream.send_rest(Instant::now()).or_else(ignore_full)?;
        Ok(stream)
    }

    /// Sends lines. Those that find no room in time are lost, but for one that was begun.
    pub(crate) fn append(&mut self, lines: &[u8]) -> Result<(), Unwritten> {
        let give_up = Instant::now() + READER_PATIENCE;
        self.send_rest(give_up)?;
        let (sent, result) = self.send(lines, give_up);
        let Err(source) = result else { return Ok(()) };
        let (before, after) = lines.split_at(sent);
        let is_begun = before.last().is_some_and(|&byte| byte != b'\n');
        let rest = after.iter().position(|&byte| byte == b'\n').map_or(after.len(), |at| at + 1);
        if is_begun {
            self.unsent = after[..rest].to_vec();
        }
        Err(Unwritten { source, may_arrive: is_begun && rest == after.len() })
    }

    fn send_rest(&mut self, give_up: Instant) -> io::Result<()> {
        let rest = std::mem::take(&mut self.unsent);
        let (sent, result) = self.send(&rest, give_up);
        self.unsent = rest[sent..].to_vec();
        result
    }

    /// How many bytes were sent, and why not all.
    fn send(&mut self, bytes: &[u8], give_up: Instant) -> (usize, io::Result<()>) {
        let mut sent = 0;
        while sent < bytes.len() {
            let is_stalled = self.is_stalled;
            let file = match self.file() {
                Ok(file) => file,
                Err(err) => return (sent, Err(err)),
            };
            match file.write(&bytes[sent..]) {
                Ok(0) => return (sent, Err(io::ErrorKind::WriteZero.into())),
                Ok(n) => {
                    sent += n;
                    self.is_stalled = false;
                }
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => {
                    let left = give_up.saturating_duration_since(Instant::now());
                    if is_stalled || !sys::wait_until_writable(file.as_fd(), left) {
                        self.is_stalled = true;
                        let nobody = "nobody reads it";
                        return (sent, Err(io::Error::new(io::ErrorKind::WouldBlock, nobody)));
                    }
                }
                Err(err) => return (sent, Err(err)),
            }
        }
        (sent, Ok(()))
    }

    fn file(&mut self) -> io::Result<&mut File> {
        if self.file.get().is_none() {
            self.file = OwnFile::new(open_stream(&self.path)?)?;
        }
        self.file.get().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// Opens what is there, without waiting for anybody.
fn open_stream(path: &Path) -> io::Result<File> {
    // Of a pipe both ends: with a reader of its own, opening needs no other, and writing to one that
    // nobody reads any more raises no signal.
    let is_pipe = fs::metadata(path)?.file_type().is_fifo();
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    OpenOptions::new().read(is_pipe).append(true).custom_flags(flags).open(path)
}

fn ignore_full(err: io::Error) -> io::Result<()> {
    if err.kind() == io::ErrorKind::WouldBlock { Ok(()) } else { Err(err) }
}

/// A descriptor that is used, and closed, only while it still is the file that was opened.
#[derive(Debug)]
struct OwnFile {
    /// There until it is dropped.
    file: Option<File>,
    /// Device and inode.
    identity: (u64, u64),
}

impl OwnFile {
    fn new(file: File) -> io::Result<Self> {
        let file = sys::raised(file)?;
        let identity = identity(&file)?;
        Ok(Self { file: Some(file), identity })
    }

    /// The file; `None` if the descriptor is somebody else's by now.
    fn get(&mut self) -> Option<&mut File> {
        self.file.as_mut().filter(|file| identity(file).is_ok_and(|now| now == self.identity))
    }
}

impl Drop for OwnFile {
    fn drop(&mut self) {
        if self.get().is_none() {
            // Not closed: the number is not ours any more.
            let _ = self.file.take().map(IntoRawFd::into_raw_fd);
        }
    }
}

fn identity(file: &File) -> io::Result<(u64, u64)> {
    let metadata = file.metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}
