//! One line at a time into a reused buffer, with its place in the file.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::error::{Error, Place};
use crate::limits::MOST_LINE_BYTES;

/// Snapshots' lines have up to megabytes: with the 8 KiB of the standard library, one would take
/// hundreds of reads.
const READ_AHEAD_BYTES: usize = 1 << 18;

/// Reads a file line by line.
#[derive(Debug)]
pub(crate) struct Lines {
    file: PathBuf,
    reader: BufReader<File>,
    next: Place,
    buffer: Vec<u8>,
}

/// One line, without its line feed.
#[derive(Debug)]
pub(crate) struct RawLine<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) place: Place,
    /// Whether a line feed ended it; only the last line of a file can lack one.
    pub(crate) ending: Ending,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    LineFeed,
    EndOfFile,
}

impl Lines {
    pub(crate) fn open(file: &Path) -> Result<Self, Error> {
        let opened = File::open(file).map_err(|err| Error::unreadable(file, &err))?;
        let reader = BufReader::with_capacity(READ_AHEAD_BYTES, opened);
        let next = Place { line: 1, byte: 0 };
        Ok(Self { file: file.to_owned(), reader, next, buffer: Vec::new() })
    }

    /// The next line; `None` at the end of the file.
    pub(crate) fn next(&mut self) -> Result<Option<RawLine<'_>>, Error> {
        self.buffer.clear();
        let mut bounded = self.reader.by_ref().take(MOST_LINE_BYTES);
        let read = bounded.read_until(b'\n', &mut self.buffer);
        let n_bytes = read.map_err(|err| Error::unreadable(&self.file, &err))? as u64;
        if n_bytes == 0 {
            return Ok(None);
        }
        let place = self.next;
        let ending = match self.buffer.pop_if(|last| *last == b'\n') {
            Some(_) => Ending::LineFeed,
            None if n_bytes >= MOST_LINE_BYTES => {
                return Err(Error::LineTooLong { file: self.file.clone(), line: place.line });
            }
            None => Ending::EndOfFile,
        };
        self.next = Place { line: place.line + 1, byte: place.byte + n_bytes };
        Ok(Some(RawLine { bytes: &self.buffer, place, ending }))
    }
}
