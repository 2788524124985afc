//! A dump's file: told from a recording by how it begins, and read whole.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::error::Error;
use crate::limits::MOST_LINE_BYTES;

/// What the file holds; `None` if it does not begin like a dump.
pub(crate) fn read_document(file: &Path) -> Result<Option<Vec<u8>>, Error> {
    let unreadable = |err: io::Error| Error::unreadable(file, &err);
    if !file.is_file() || !begins_like_a_dump(file).map_err(unreadable)? {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let mut bounded = File::open(file).map_err(unreadable)?.take(MOST_LINE_BYTES + 1);
    bounded.read_to_end(&mut bytes).map_err(unreadable)?;
    match bytes.len() as u64 > MOST_LINE_BYTES {
        true => Err(Error::LineTooLong { file: file.to_owned(), line: 1 }),
        false => Ok(Some(bytes)),
    }
}

fn begins_like_a_dump(file: &Path) -> io::Result<bool> {
    let mut beginning = Vec::new();
    File::open(file)?.take(256).read_to_end(&mut beginning)?;
    beginning.retain(|byte| !byte.is_ascii_whitespace());
    Ok(beginning.starts_with(br#"{"kind":"dump""#))
}
