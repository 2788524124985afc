//! From the paths a user gave to the files that are read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::Error;

/// A file to read, and how it came to be on the list.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) file: PathBuf,
    pub(crate) chosen: Chosen,
}

/// A file that was named must be readable; others may be left out with a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chosen {
    /// By the user.
    Named,
    /// As one of a directory.
    Listed,
    /// As a later segment of a named one, to judge by its name; counts only if its header agrees.
    Beside,
}

/// Files in the order given; a directory stands for its `*.jsonl` by name, and a file brings its
/// later segments (`shop.001.jsonl` beside `shop.jsonl`) with it. No file comes twice, and none that was
/// chosen is one that may be left out because it came beside another before.
pub(crate) fn expand(paths: &[PathBuf]) -> Result<Vec<Input>, Error> {
    let mut seen = BTreeMap::new();
    let mut inputs: Vec<Input> = Vec::new();
    for path in paths {
        if path.exists() && !path.is_file() && !path.is_dir() {
            let cause =
                "a pipe or device, but recordings are read twice: write it to a file".into();
            return Err(Error::Unreadable { file: path.clone(), cause });
        }
        let chosen = match path.is_dir() {
            true => inputs_of(recordings_in(path)?, Chosen::Listed),
            false => with_later_segments(path),
        };
        for input in chosen {
            let canonical = input.file.canonicalize();
            let canonical = canonical.map_err(|err| Error::unreadable(&input.file, &err))?;
            let at = *seen.entry(canonical).or_insert(inputs.len());
            match inputs.get_mut(at) {
                None => inputs.push(input),
                Some(before) if before.chosen == Chosen::Beside => before.chosen = input.chosen,
                Some(_) => {}
            }
        }
    }
    Ok(inputs)
}

fn inputs_of(files: Vec<PathBuf>, chosen: Chosen) -> Vec<Input> {
    files.into_iter().map(|file| Input { file, chosen }).collect()
}

fn with_later_segments(first: &Path) -> Vec<Input> {
    let dir = match first.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    let mut inputs = inputs_of(vec![first.to_owned()], Chosen::Named);
    if first.extension().is_some_and(|ext| ext == "jsonl") {
        let mut beside = recordings_in(dir).unwrap_or_default();
        beside.retain(|file| is_later_segment(first, file));
        inputs.extend(inputs_of(beside, Chosen::Beside));
    }
    inputs
}

/// Whether `file` is named as `first` with a number before the ending.
fn is_later_segment(first: &Path, file: &Path) -> bool {
    let stem = |path: &Path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let (Some(first), Some(file)) = (stem(first), stem(file)) else { return false };
    let number = file.strip_prefix(&first).and_then(|rest| rest.strip_prefix('.'));
    number.is_some_and(|digits| {
        !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit())
    })
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
