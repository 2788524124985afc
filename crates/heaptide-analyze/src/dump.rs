//! One snapshot as one self-contained document: names, stacks and numbers, pretty JSON.
//!
//! A dump is what a developer opens, attaches to an issue, or feeds to `jq`. It is read wherever
//! one snapshot of a recording is, so it is also the form in which [`crate::diff`] takes both.

use std::path::{Path, PathBuf};

use heaptide_format::{Header, Site, SiteId, SiteRow};
use serde::{Deserialize, Serialize};

use crate::identity::{Identity, SharedFrame, SiteKey, Stack, WorkspaceCrates};
use crate::load::{
    Error, FullSnapshot, Location, Recording, Scalars, Warning, load_one, read_document,
};
use crate::symbols::{Problem, Resolve, Symbols};

/// One snapshot with names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dump {
    kind: Kind,
    /// The header of the recording it was taken from.
    #[serde(flatten)]
    pub header: Header,
    /// The snapshot but its rows.
    #[serde(flatten)]
    pub scalars: Scalars,
    /// Sites by id.
    pub sites: Vec<DumpSite>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Dump,
}

/// One site: who it is, and its numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DumpSite {
    /// Its identity.
    pub identity: SiteKey,
    /// The responsible function.
    pub path: String,
    /// The tag in force when it allocated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Its numbers; `site` is its id in the recording.
    #[serde(flatten)]
    pub row: SiteRow,
    /// Innermost first.
    pub frames: Vec<SharedFrame>,
    /// The stack went on, but could not be followed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// A dump, and what was wrong with its sources.
#[derive(Clone, Debug, PartialEq)]
pub struct Opened {
    /// The snapshot.
    pub dump: Dump,
    /// What was wrong with the recording.
    pub warnings: Vec<Warning>,
    /// What kept names from being found.
    pub problems: Vec<Problem>,
}

impl Dump {
    /// Puts names to a snapshot of `run`.
    pub(crate) fn new(run: &Recording, snapshot: FullSnapshot, symbols: &Symbols) -> Self {
        let FullSnapshot { scalars, rows } = snapshot;
        let mut identities = symbols.identities(run);
        let site = |(id, row): (SiteId, SiteRow)| {
            let site = run.sites.get(&id);
            let stack = site.map(|site| symbols.stack(site)).unwrap_or_default();
            let identity = identities.remove(&id).unwrap_or_else(|| Identity::of(&stack, None));
            DumpSite::new(site, identity, stack, row)
        };
        let sites = rows.into_iter().map(site).collect();
        Self { kind: Kind::Dump, header: run.timeline.header.clone(), scalars, sites }
    }

    /// Reads `REC[@SEQ]`: a snapshot of a recording (the last one without `SEQ`), or a dump.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn open(
        location: &Location,
        resolver: &mut dyn Resolve,
        workspace: &WorkspaceCrates,
    ) -> Result<Opened, Error> {
        let Location { path, seq } = location;
        if let Some(dump) = read_dump(path)? {
            dump.check_seq(path, *seq)?;
            return Ok(Opened { dump, warnings: Vec::new(), problems: Vec::new() });
        }
        let (run, mut warnings) = load_one(path)?;
        let (snapshot, more) = run.snapshot(run.point_index(*seq)?)?;
        warnings.extend(more);
        let symbols = Symbols::look_up(&run, resolver, workspace);
        let dump = Self::new(&run, snapshot, &symbols);
        Ok(Opened { dump, warnings, problems: symbols.problems })
    }

    /// Whether this file is a dump, and no recording.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn is_in(file: &Path) -> Result<bool, Error> {
        Ok(read_dump(file)?.is_some())
    }

    fn check_seq(&self, file: &Path, wanted: Option<u64>) -> Result<(), Error> {
        let seq = self.scalars.seq;
        match wanted {
            Some(wanted) if wanted != seq => Err(Error::NoSnapshot {
                file: file.to_owned(),
                seq: Some(wanted),
                held: Some((seq, seq)),
            }),
            _ => Ok(()),
        }
    }
}

impl DumpSite {
    fn new(site: Option<&Site>, identity: Identity, stack: Stack, row: SiteRow) -> Self {
        let tag = site.and_then(|site| site.tag.clone());
        let Identity { id, path, .. } = identity;
        let Stack { frames, truncated } = stack;
        Self { identity: id, path, tag, row, frames, truncated }
    }
}

/// `None` if the file does not begin like a dump.
fn read_dump(file: &Path) -> Result<Option<Dump>, Error> {
    let Some(bytes) = read_document(file)? else { return Ok(None) };
    let bad = |cause: String| Error::BadDump { file: PathBuf::from(file), cause };
    let dump: Dump = serde_json::from_slice(&bytes).map_err(|err| bad(err.to_string()))?;
    match dump.header.format {
        format if format > heaptide_format::FORMAT_VERSION => {
            Err(Error::Newer { file: file.to_owned(), format })
        }
        _ => Ok(Some(dump)),
    }
}
