//! Recordings (and dumps) from files, streaming: the only place that opens them.
//!
//! Two passes, so that memory follows the number of sites and snapshots and not the size of the
//! files. [`load`] reads everything but the rows and tells runs apart; [`Recording::rows`] then hands
//! over the rows one at a time, and [`Recording::snapshot`] restores one snapshot in full.
//!
//! Bytes are never trusted: whatever stands in a file ends in a [`Warning`] or an [`Error`].

mod cursor;
mod document;
mod error;
mod foreign;
mod input;
mod lines;
mod location;
mod ordered;
mod recording;
mod rows;
mod scalars;
mod scan;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub use crate::timeline::{Point, Timeline};
pub use error::{Cause, Error, Place, Warning};
pub use location::Location;
pub use ordered::Threads;
pub use recording::{FullSnapshot, Recording};
pub use scalars::Scalars;

pub(crate) use document::read_document;
pub(crate) use error::Warnings;
use input::Chosen;
pub(crate) use ordered::in_order;
pub(crate) use rows::{SnapshotLines, TakeRows};
use scan::{Scan, Scanned};

/// What a set of paths holds.
#[derive(Clone, Debug, Default)]
pub struct Recordings {
    /// Runs in the order in which they were met.
    pub runs: Vec<Recording>,
    /// What was wrong without ending the reading.
    pub warnings: Vec<Warning>,
}

/// Reads recordings: each path is a file, or a directory that stands for the `*.jsonl` in it.
///
/// Segments of one recording become one run, whatever the order of their files.
///
/// # Errors
/// See [`Error`]. A file found in a directory is left out with a warning where a named one is an
/// error, unless nothing else is there.
pub fn load(paths: &[PathBuf]) -> Result<Recordings, Error> {
    let mut scan = Scan::default();
    let mut refused = None;
    for input in input::expand(paths)? {
        match scan.file(&input) {
            Ok(()) => {}
            Err(error) => leave_out(&mut scan.warnings, &mut refused, &input, error)?,
        }
    }
    let Scan { recordings, mut warnings, .. } = scan;
    let mut runs = Vec::new();
    for recording in recordings {
        match check_usable(&recording) {
            Ok(()) => runs.push(Recording::join(recording, &mut warnings)),
            Err((input, error)) => leave_out(&mut warnings, &mut refused, &input, error)?,
        }
    }
    if let (true, Some(error)) = (runs.is_empty(), refused) {
        return Err(error);
    }
    warn_of_mixed_builds(&runs, &mut warnings);
    Ok(Recordings { runs, warnings: warnings.into_vec() })
}

/// Reads the one run that a path holds.
///
/// # Errors
/// Those of [`load`], and [`Error::SeveralRuns`].
pub fn load_one(path: &Path) -> Result<(Recording, Vec<Warning>), Error> {
    let Recordings { mut runs, warnings } = load(&[path.to_owned()])?;
    match (runs.pop(), runs.len()) {
        (Some(run), 0) => Ok((run, warnings)),
        (_, n_before) => Err(Error::SeveralRuns { path: path.to_owned(), n_runs: n_before + 1 }),
    }
}

fn leave_out(
    warnings: &mut Warnings,
    refused: &mut Option<Error>,
    input: &input::Input,
    error: Error,
) -> Result<(), Error> {
    if input.chosen == Chosen::Named {
        return Err(error);
    }
    warnings.add(&input.file, None, Cause::LeftOut(Box::new(error.clone())));
    refused.get_or_insert(error);
    Ok(())
}

/// A recording whose every snapshot is damaged is refused; one that has none yet is not.
fn check_usable(recording: &Scanned) -> Result<(), (input::Input, Error)> {
    if recording.segments.iter().any(|segment| !segment.snapshots.is_empty()) {
        return Ok(());
    }
    for segment in &recording.segments {
        if let Some(damage) = &segment.damage {
            let file = segment.file.clone();
            let input = input::Input { file: file.clone(), chosen: segment.chosen };
            return Err((input, Error::NothingLeft { file, damage: damage.clone() }));
        }
    }
    Ok(())
}

fn warn_of_mixed_builds(runs: &[Recording], warnings: &mut Warnings) {
    let builds: BTreeSet<_> =
        runs.iter().filter_map(|run| run.timeline.header.build_id.as_ref()).collect();
    if let (true, Some(file)) = (builds.len() > 1, runs.first().and_then(|run| run.files.first())) {
        warnings.add(file, None, Cause::MixedBuilds { n_builds: builds.len() });
    }
}
