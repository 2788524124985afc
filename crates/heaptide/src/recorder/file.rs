//! The files of a recording: whole lines, appended; segments; a cap on their total size.
//!
//! The first segment has the name that was asked for, the next ones a number before the ending:
//! `shop.jsonl`, `shop.001.jsonl`, `shop.002.jsonl`. Every segment can be read alone.

#![forbid(unsafe_code)]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use heaptide_format::Header;

use super::Error;
use super::thin::thin;

/// Where a recording goes.
#[derive(Debug)]
pub(crate) struct SegmentedFile {
    first: PathBuf,
    file: File,
    /// Bytes of whole lines in the segment being written.
    written: u64,
    /// Earlier segments and their sizes.
    closed: Vec<(PathBuf, u64)>,
    segment_bytes: u64,
    total_bytes: u64,
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
        set_aside(&first).map_err(cannot)?;
        let file = open(&first).map_err(cannot)?;
        Ok(Self { first, file, written: 0, closed: Vec::new(), segment_bytes, total_bytes })
    }

    /// Whether the segment is full, so that the next snapshot must begin a new one.
    pub(crate) fn wants_new_segment(&self) -> bool {
        self.written >= self.segment_bytes
    }

    /// Begins segment `number`; how many old snapshots were dropped to make room.
    pub(crate) fn next_segment(&mut self, number: u32) -> io::Result<u64> {
        self.file.sync_data()?;
        let path = segment_path(&self.first, number);
        set_aside(&path)?;
        let next = open(&path)?;
        let full = match number {
            0 | 1 => self.first.clone(),
            _ => segment_path(&self.first, number - 1),
        };
        self.file = next;
        self.closed.push((full, self.written));
        self.written = 0;
        self.make_room()
    }

    /// Appends whole lines in one go. On failure nothing of them stays.
    pub(crate) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let appended = self.file.write_all(lines);
        match appended {
            Ok(()) => self.written += lines.len() as u64,
            // A torn line would make every later one unreadable.
            Err(_) => self.file.set_len(self.written)?,
        }
        appended
    }

    /// Waits until everything is on disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        match self.file.sync_all() {
            // A pipe or a device cannot be synchronised.
            Err(err) if err.kind() == io::ErrorKind::InvalidInput => Ok(()),
            synced => synced,
        }
    }

    /// Thins closed segments, oldest first, until the cap holds or nothing is left to drop.
    fn make_room(&mut self) -> io::Result<u64> {
        let mut dropped = 0;
        let mut total: u64 = self.closed.iter().map(|(_, bytes)| bytes).sum();
        for (path, bytes) in &mut self.closed {
            if total + self.segment_bytes <= self.total_bytes {
                break;
            }
            let thinned = thin(path)?;
            dropped += thinned.n_dropped;
            total -= bytes.saturating_sub(thinned.bytes);
            *bytes = thinned.bytes;
        }
        Ok(dropped)
    }
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
    let stem = first.file_stem().unwrap_or_default().to_string_lossy();
    let ending = first.extension().map(|ending| ending.to_string_lossy());
    let ending = ending.map_or(String::new(), |ending| format!(".{ending}"));
    first.with_file_name(format!("{stem}.{number:03}{ending}"))
}

/// Renames a file that is in the way to the first free `NAME.1`, `NAME.2`, …
fn set_aside(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() && found.len() > 0 => {}
        // Nothing there, nothing in it, or not a regular file (a pipe, say): write to it.
        _ => return Ok(()),
    }
    let numbered = |n: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{n}"));
        PathBuf::from(name)
    };
    let free = (1..).map(numbered).find(|path| !path.exists());
    free.map_or(Ok(()), |free| fs::rename(path, free))
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}
