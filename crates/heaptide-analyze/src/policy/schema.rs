//! What `heaptide.toml` may say, as types.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::entry::{Allow, Lifetime};
use super::error::PolicyError;
use super::limit::Limit;
use super::source::Source;
use super::value::{bytes, nanoseconds, warm_up};
use crate::axis::{Settings, WarmUp};
use crate::site::Subject;
use crate::verdict::Rule;

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
    /// As bad as in the workspace: the process runs out of memory all the same.
    #[default]
    Fail,
    /// Said, but never fatal.
    Warn,
    /// Nothing.
    Ignore,
}

/// What growth outside the recorded heap counts as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outside {
    /// As bad as at a call site: the process runs out of memory all the same.
    #[default]
    Fail,
    /// Said, but never fatal.
    Warn,
    /// Nothing.
    Ignore,
}

/// What of a process a budget may be set for. What is judged by call site has its budgets there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitedPart {
    /// Other blocks in use in the allocator.
    OtherMalloc,
    /// What the allocator keeps without a block in use.
    AllocatorFree,
    /// Resident stacks of threads.
    ThreadStacks,
    /// Other resident memory that no file backs.
    Anonymous,
    /// Resident pages of files.
    Files,
    /// Memory that was moved to swap.
    Swap,
    /// Threads, by number.
    Threads,
    /// Open descriptors, by number.
    Descriptors,
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
    /// What growth outside the recorded heap counts as, of a part without a budget of its own.
    pub outside: Outside,
    /// For parts of the process, its threads or its descriptors.
    pub parts: BTreeMap<LimitedPart, Spanned<Limit>>,
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
    pub(super) source: Source,
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
    pub(crate) fn settings(&self) -> Settings {
        self.settings_with(self.max_lifetime_ns)
    }

    /// The same for sites with a lifetime of their own.
    pub(crate) fn settings_with(&self, max_lifetime_ns: Option<u64>) -> Settings {
        Settings { warm_up: self.warm_up, max_lifetime_ns }
    }

    /// How long the blocks of a site may live, if it says so of this site in particular.
    pub(crate) fn lifetime_of(&self, subject: &Subject) -> Option<u64> {
        let entry = self.lifetime.iter().find(|entry| entry.site.get_ref().matches(subject));
        entry.map(|entry| entry.max_ns)
    }

    /// What it says about the rule.
    pub(crate) fn rule(&self) -> Rule {
        let default = Rule::default();
        let least_slots = self.least_snapshots.map_or(default.least_slots, usize::from);
        Rule { work: self.work.clone(), least_slots, ..default }
    }
}
