//! Files that somebody else named, opened only if they are files.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;

/// Opens a file. A path that a recording or an executable names may be a pipe, which would block for
/// ever, or a device, of which to open it may be an act; what the kernel makes up while it is read, as below
/// `/proc`, says that it is empty.
pub(super) fn open_regular(path: &Path) -> Result<File, String> {
    let regular = |it: io::Result<Metadata>| match it {
        Ok(found) if found.is_file() && found.len() > 0 => Ok(()),
        Ok(found) if found.is_file() => Err("it is empty".to_owned()),
        Ok(_) => Err("not a regular file, so it was not opened".to_owned()),
        Err(err) => Err(err.to_string()),
    };
    regular(path.metadata())?;
    let file = File::open(path).map_err(|err| err.to_string())?;
    regular(file.metadata()).map(|()| file)
}
