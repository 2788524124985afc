//! A dump's file: told from a recording by how it begins, and read whole.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use super::error::Error;

/// What the file holds; `None` if it does not begin like a dump.
pub(crate) fn read_document(file: &Path) -> Result<Option<Vec<u8>>, Error> {
    let unreadable = |err: io::Error| Error::unreadable(file, &err);
    if !file.is_file() || !begins_like_a_dump(file).map_err(unreadable)? {
        return Ok(None);
    }
    fs::read(file).map(Some).map_err(unreadable)
}

fn begins_like_a_dump(file: &Path) -> io::Result<bool> {
    let mut beginning = Vec::new();
    File::open(file)?.take(256).read_to_end(&mut beginning)?;
    beginning.retain(|byte| !byte.is_ascii_whitespace());
    Ok(beginning.starts_with(br#"{"kind":"dump""#))
}
