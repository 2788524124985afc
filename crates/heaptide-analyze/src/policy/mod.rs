//! `heaptide.toml`: how much growth is acceptable, where, and until when.
//!
//! ```toml
//! workspace = ["shop"]         # crates that are yours, besides those whose source shows it
//! work = "requests"            # absent: the counter that explains the growth best
//! warm_up = "30s"              # or a number of snapshots; absent: a quarter of the run
//! least_snapshots = 20         # fewer are inconclusive
//! max_lifetime = "15m"         # nothing younger counts as leaked
//! memory_limit = "512 MiB"     # absent: the cgroup's, or all the machine has
//! inconclusive = "fail"        # or "pass"
//!
//! [budget]
//! finding = "0 objects/op"     # for every finding in the workspace
//! process = "10 MiB/h"         # for all of them together
//! dependencies = "warn"        # or "fail", or "ignore"
//! crates = { hyper = "1 KiB/op" }
//!
//! [[lifetime]]                 # instead of max_lifetime, for some sites
//! site = "shop::session::*"
//! max = "1h"
//!
//! [[allow]]
//! site = "shop::cache::*"      # or the id of a site
//! limit = "5000 objects"       # absent: any growth
//! reason = "bounded by its capacity"
//! issue = "https://example.org/17"
//! owner = "shop team"
//! expires = "2027-01-31"
//! ```
//!
//! Whatever is said about an entry names the line and column where it stands.

mod entry;
mod error;
mod limit;
mod ruling;
mod source;

use std::collections::BTreeMap;

use bytesize::ByteSize;
use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, Serialize, de};

use toml::Spanned;

pub use entry::{Allow, Day, Lifetime, Pattern};
pub use error::PolicyError;
pub use jiff::civil::Date;
pub use limit::{Growth, Limit};

use crate::axis::{Settings, WarmUp};
use crate::site::Subject;
use crate::verdict::Rule;
use source::Source;

/// What an inconclusive run counts as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Inconclusive {
    /// Exit 3.
    #[default]
    Fail,
    /// Exit 0.
    Pass,
}

/// What growth in a dependency counts as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dependencies {
    /// Said, but never fatal.
    #[default]
    Warn,
    /// As bad as in the workspace.
    Fail,
    /// Nothing.
    Ignore,
}

/// How much growth is acceptable.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// For each finding.
    pub finding: Limit,
    /// For all findings of a process together.
    pub process: Option<Limit>,
    /// For findings that blame one of these crates, instead of `finding`.
    pub crates: BTreeMap<String, Spanned<Limit>>,
    /// What growth in a dependency without a budget of its own counts as.
    pub dependencies: Dependencies,
}

/// The whole policy.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Crates that are the user's own, besides those whose source shows it.
    pub workspace: Vec<String>,
    /// The work counter to judge by; absent: the one that explains growth best.
    pub work: Option<String>,
    /// Length of the warm-up.
    #[serde(deserialize_with = "warm_up")]
    pub warm_up: WarmUp,
    /// Fewer snapshots than this decide nothing; absent: 20.
    pub least_snapshots: Option<u16>,
    /// The longest that anything may rightly live.
    #[serde(rename = "max_lifetime", deserialize_with = "nanoseconds")]
    pub max_lifetime_ns: Option<u64>,
    /// The memory limit to project to; absent: the cgroup's, or the machine's memory.
    #[serde(rename = "memory_limit", deserialize_with = "bytes")]
    pub memory_limit_bytes: Option<u64>,
    /// What an inconclusive run counts as.
    pub inconclusive: Inconclusive,
    /// How much growth is acceptable.
    pub budget: Budget,
    /// What may live longer, or less long, than `max_lifetime` says.
    pub lifetime: Vec<Lifetime>,
    /// Growth that is known and accepted.
    pub allow: Vec<Allow>,
    #[serde(skip)]
    source: Source,
}

/// How the allow-list was used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PolicyUse {
    /// Entries that allowed a finding: pattern and number of findings.
    pub used: Vec<(String, usize)>,
    /// Patterns that match no site of any run.
    pub unmatched: Vec<String>,
    /// Patterns that have expired.
    pub expired: Vec<String>,
    /// One sentence each.
    pub warnings: Vec<String>,
    /// One sentence each.
    pub errors: Vec<String>,
}

impl Policy {
    /// Reads `heaptide.toml`.
    ///
    /// # Errors
    /// The first mistake, with its line and column.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let policy: Self = toml::from_str(text).map_err(|error| PolicyError::new(text, &error))?;
        Ok(Self { source: Source::of(text), ..policy })
    }

    /// The same, known by this file name to those who read of its entries.
    pub fn from_file(mut self, name: &str) -> Self {
        name.clone_into(&mut self.source.file);
        self
    }

    /// What it says about the axis of a run.
    pub fn settings(&self) -> Settings {
        self.settings_with(self.max_lifetime_ns)
    }

    /// The same for sites with a lifetime of their own.
    pub(crate) fn settings_with(&self, max_lifetime_ns: Option<u64>) -> Settings {
        Settings { warm_up: self.warm_up, max_lifetime_ns }
    }

    /// How long the blocks of a site may live, if it says so of this site in particular.
    pub fn lifetime_of(&self, subject: &Subject) -> Option<u64> {
        let entry = self.lifetime.iter().find(|entry| entry.site.get_ref().matches(subject));
        entry.map(|entry| entry.max_ns)
    }

    /// What it says about the rule.
    pub fn rule(&self) -> Rule {
        let default = Rule::default();
        let least_slots = self.least_snapshots.map_or(default.least_slots, usize::from);
        Rule { work: self.work.clone(), least_slots, ..default }
    }
}

fn nanoseconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let text = String::deserialize(deserializer)?;
    duration_ns(&text).map(Some).map_err(de::Error::custom)
}

fn duration_ns(text: &str) -> Result<u64, String> {
    let parsed = text.parse::<SignedDuration>().ok();
    let ns = parsed.and_then(|duration| u64::try_from(duration.as_nanos()).ok());
    ns.ok_or_else(|| format!("`{text}` is not a duration such as `30s`, `15m` or `1h 30m`"))
}

fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let parsed = text.parse::<ByteSize>().map(|size| Some(size.0));
    parsed.map_err(|_| de::Error::custom(format!("`{text}` is not a size such as `512 MiB`")))
}

fn warm_up<'de, D: Deserializer<'de>>(deserializer: D) -> Result<WarmUp, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a duration such as `30s` or a number of snapshots")]
    enum Written {
        Snapshots(u32),
        Duration(String),
    }
    match Written::deserialize(deserializer)? {
        Written::Snapshots(snapshots) => Ok(WarmUp::Snapshots(snapshots)),
        Written::Duration(text) => {
            let or = ", nor a number of snapshots, which takes no quotes";
            let wrong = |cause| de::Error::custom(format!("{cause}{or}"));
            duration_ns(&text).map(WarmUp::Nanoseconds).map_err(wrong)
        }
    }
}
