//! From the paths a user gave to the files that are read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::error::Error;

/// A file to read, and how it came to be on the list.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) file: PathBuf,
    pub(crate) chosen: Chosen,
}

/// A file that was named must be readable; one of a directory may be left out with a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chosen {
    Named,
    Listed,
}

/// Files in the order given; a directory stands for its `*.jsonl` by name. No file comes twice.
pub(crate) fn expand(paths: &[PathBuf]) -> Result<Vec<Input>, Error> {
    let mut seen = BTreeSet::new();
    let mut inputs = Vec::new();
    for path in paths {
        let (files, chosen) = match path.is_dir() {
            true => (recordings_in(path)?, Chosen::Listed),
            false => (vec![path.clone()], Chosen::Named),
        };
        for file in files {
            let canonical = file.canonicalize().map_err(|err| Error::unreadable(&file, &err))?;
            if seen.insert(canonical) {
                inputs.push(Input { file, chosen });
            }
        }
    }
    Ok(inputs)
}

fn recordings_in(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = std::fs::read_dir(dir).map_err(|err| Error::unreadable(dir, &err))?;
    let mut files = Vec::new();
    for entry in entries {
        let file = entry.map_err(|err| Error::unreadable(dir, &err))?.path();
        if file.extension().is_some_and(|ext| ext == "jsonl") && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    match files.is_empty() {
        true => Err(Error::NoRecordings { dir: dir.to_owned() }),
        false => Ok(files),
    }
}
