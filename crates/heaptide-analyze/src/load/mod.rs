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
mod invariants;
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
pub use invariants::Contradiction;
pub use location::Location;
pub use ordered::Threads;
pub use recording::{FullSnapshot, Recording};
pub use scalars::Scalars;

pub(crate) use document::read_document;
pub(crate) use error::Warnings;
use input::Chosen;
pub(crate) use invariants::{of_row, of_site, of_sum};
pub(crate) use ordered::in_order;
pub(crate) use rows::{SnapshotLines, TakeRows};
use scan::{Scan, Scanned};

/// What a set of paths holds.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// In the order in which they were met; several files can be one recording.
    pub recordings: Vec<Recording>,
    /// What was wrong without ending the reading.
    pub warnings: Vec<Warning>,
}

/// Reads recordings: each path is a file, or a directory that stands for the `*.jsonl` in it.
///
/// Segments are joined to the recording they are of, whatever the order of their files.
///
/// # Errors
/// See [`Error`]. A file found in a directory is left out with a warning where a named one is an
/// error, unless nothing else is there.
pub fn load(paths: &[PathBuf]) -> Result<Loaded, Error> {
    let mut scan = Scan::default();
    let mut refused = None;
    for input in input::expand(paths)? {
        match scan.file(&input) {
            Ok(()) => {}
            Err(error) => leave_out(&mut scan.warnings, &mut refused, &input, error)?,
        }
    }
    let Scan { recordings: scanned, mut warnings, .. } = scan;
    let mut recordings = Vec::new();
    for scanned in scanned {
        match check_usable(&scanned) {
            Ok(()) => recordings.push(Recording::join(scanned, &mut warnings)),
            Err((input, error)) => leave_out(&mut warnings, &mut refused, &input, error)?,
        }
    }
    if let (true, Some(error)) = (recordings.is_empty(), refused) {
        return Err(error);
    }
    warn_of_mixed_builds(&recordings, &mut warnings);
    Ok(Loaded { recordings, warnings: warnings.into_vec() })
}

/// Reads the one recording that a path holds.
///
/// # Errors
/// Those of [`load`], and [`Error::SeveralRuns`].
pub fn load_one(path: &Path) -> Result<(Recording, Vec<Warning>), Error> {
    let Loaded { mut recordings, warnings } = load(&[path.to_owned()])?;
    match (recordings.pop(), recordings.len()) {
        (Some(recording), 0) => Ok((recording, warnings)),
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
fn check_usable(scanned: &Scanned) -> Result<(), (input::Input, Error)> {
    if scanned.segments.iter().any(|segment| !segment.snapshots.is_empty()) {
        return Ok(());
    }
    for segment in &scanned.segments {
        if let Some(damage) = &segment.damage {
            let file = segment.file.clone();
            let input = input::Input { file: file.clone(), chosen: segment.chosen };
            return Err((input, Error::NothingLeft { file, damage: damage.clone() }));
        }
    }
    Ok(())
}

fn warn_of_mixed_builds(recordings: &[Recording], warnings: &mut Warnings) {
    let builds: BTreeSet<_> =
        recordings.iter().filter_map(|it| it.timeline.header.build_id.as_ref()).collect();
    let first_file = recordings.first().and_then(|first| first.files.first());
    if let (true, Some(file)) = (builds.len() > 1, first_file) {
        warnings.add(file, None, Cause::MixedBuilds { n_builds: builds.len() });
    }
}
