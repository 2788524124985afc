//! The answers a verdict can give, and how sure it is of them.

use serde::{Deserialize, Serialize};

/// What a site does, as far as the run can tell. Ordered from worst to best.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Old blocks pile up, or a container keeps doubling, in step with the work.
    Leak,
    /// It looks like a leak, but the run is too short to say so.
    Suspect,
    /// It grew, and is slowing down: a cache that fills, a set of keys that is exhausted.
    Saturating,
    /// A container that grew and is overdue to grow again, or grew after longer rests than a leak takes.
    Settled,
    /// A bounded cache or queue: old blocks are replaced by new ones.
    Turnover,
    /// A few steps: lazy start-up, a reload, a plug-in.
    OneOff,
    /// Live blocks follow the load; none of them grows old.
    Load,
    /// Nothing that stays.
    #[default]
    Stable,
}

impl Class {
    /// All classes, worst first.
    pub const ALL: [Self; 8] = [
        Self::Leak,
        Self::Suspect,
        Self::Saturating,
        Self::Settled,
        Self::Turnover,
        Self::OneOff,
        Self::Load,
        Self::Stable,
    ];

    /// The word people read.
    pub fn word(self) -> &'static str {
        match self {
            Self::Leak => "leak",
            Self::Suspect => "suspect",
            Self::Saturating => "saturating",
            Self::Settled => "settled",
            Self::Turnover => "turnover",
            Self::OneOff => "one-off",
            Self::Load => "load",
            Self::Stable => "stable",
        }
    }
}

/// Which question a verdict answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// Old blocks keep piling up.
    Objects,
    /// A block keeps growing.
    Container,
}

/// How sure a leak is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// All gates, and the false discovery rate over all sites of the run is at most α.
    Certain,
    /// All gates, and evidence against chance of at least 1/α for this site.
    Likely,
    /// Undecided.
    Suspect,
}
