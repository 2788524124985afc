//! What the verdict looks at: a call site, known by name, with what it did over a run.

use std::sync::Arc;

use serde::Serialize;

use crate::axis::Axis;
use crate::identity::SharedFrame;
use crate::series::SiteSeries;
use crate::timeline::Timeline;

/// A site as people and files know it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Subject {
    /// Short stable id, made from `path`.
    pub id: String,
    /// Stable identity: survives a rebuild; what patterns and baselines match on.
    pub path: String,
    /// The tag it allocated under.
    pub tag: Option<String>,
    /// The frame to blame: the first of the user's, else the first outside `std`.
    pub blamed: SharedFrame,
    /// The function of a dependency that allocates, where the blamed one, which is the user's,
    /// called a dependency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub via: Option<SharedFrame>,
    /// Where its largest block was last resized, if that is not where it was made: a container is
    /// made in one place and grows in another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grew_at: Option<SharedFrame>,
    /// Who spawned the task or thread of a dependency that it runs on, if no frame is the user's: the
    /// nearest of the user's functions, where the recording shows one alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spawned_by: Option<SharedFrame>,
    /// All frames, innermost first, inlined ones included.
    pub stack: Vec<SharedFrame>,
}

/// One loaded run: sites with equal identities are already merged, all series closed.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// Its snapshots.
    pub timeline: &'a Timeline,
    /// Its axis, by the general lifetime.
    pub axis: &'a Axis,
    /// Its sites.
    pub sites: &'a [Site],
}

/// One site of a run.
#[derive(Clone, Debug)]
pub struct Site {
    /// Which site.
    pub subject: Subject,
    /// The axis its series was summed up on: the run's, or one with a lifetime of the site's own.
    pub axis: Arc<Axis>,
    /// What it did.
    pub series: SiteSeries,
}
