//! What is known of one run, and what was found in it.

use std::collections::BTreeMap;

use heaptide_format::{Dropped, HeapTotals, Mode};
use serde::Serialize;

use crate::calltree::CallTree;
use crate::finding::{Finding, Gate, Projection, Ruling};
use crate::process::Process;
use crate::site::Subject;
use crate::verdict::{self, Class, Rate};

/// Units of work done per hour, by counter; `"seconds"` is one of them.
pub(crate) type Pace = BTreeMap<String, f64>;

/// What is known of a run, and what was found in it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunReport {
    /// Path of the executable.
    pub exe: String,
    /// Process id.
    pub pid: u32,
    /// Build id, if any.
    pub build_id: Option<String>,
    /// Exact or sampled.
    pub mode: Mode,
    /// Time from the start to the last snapshot.
    pub elapsed_ns: u64,
    /// Snapshots in the recording.
    pub snapshots: usize,
    /// Slots they were joined into: what the verdict counts.
    pub slots: usize,
    /// Work done, by counter.
    pub work: BTreeMap<String, u64>,
    /// The heap at the last judged snapshot.
    pub heap: HeapTotals,
    /// Resident set size then.
    pub rss_bytes: u64,
    /// What the whole process holds, in parts.
    pub process: Process,
    /// The memory limit: the policy's, or else the less of the cgroup's and the machine's memory.
    pub memory_limit_bytes: Option<u64>,
    /// What is missing.
    pub dropped: Dropped,
    /// Sites judged.
    pub sites: usize,
    /// How many sites are of each class.
    pub classes: BTreeMap<Class, usize>,
    /// How fast all sites that leak grow together, suspects aside, in the unit of the fastest; absent
    /// if none leaks.
    pub leaking: Option<Rate>,
    /// How many sites those are.
    pub leaking_sites: usize,
    /// When memory runs out, if something surely leaks: at the pace of all sites that leak and all
    /// parts that grow, or of resident memory, where that grows faster.
    pub runs_out: Option<Projection>,
    /// The smallest subtree of calls that explains most of what leaks; of what is suspect, where
    /// nothing leaks for sure.
    pub grows_under: Option<CallTree>,
    /// Leaks and suspects, worst first.
    pub findings: Vec<Finding>,
    /// Sites that grow or hold on to something for a healthy reason, largest first.
    pub healthy: Vec<HealthySite>,
    /// Why the run as a whole is too short to judge: one sentence each.
    pub too_short: Vec<String>,
    /// The class of every site, by its id.
    #[serde(skip)]
    pub class_of_site: BTreeMap<String, Class>,
    /// Growth that the build before had too, by path; it is no finding.
    #[serde(skip)]
    pub as_before: Vec<(String, Rate)>,
}

impl RunReport {
    /// Whether nothing grows, neither for sure nor perhaps, nor as much as it did before.
    pub(crate) fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.as_before.is_empty() && !self.process.may_grow()
    }

    /// Whether something grows over its budget.
    pub(crate) fn fails(&self) -> bool {
        let mut findings = self.findings.iter().map(|finding| &finding.ruling);
        let mut parts = self.process.rulings().map(|(.., ruling)| ruling);
        let fails = |ruling: &Ruling| ruling.gate == Gate::Fail;
        findings.any(fails) || parts.any(fails)
    }

    /// How fast memory grows that call sites or parts of the process surely account for.
    pub fn explained_bytes_per_hour(&self) -> f64 {
        let leaking = self.leaking.as_ref().map_or(0.0, Rate::bytes_per_hour);
        leaking + self.process.parts_bytes_per_hour()
    }

    /// Units of work done per hour.
    pub(crate) fn pace(&self) -> Pace {
        let hours = self.elapsed_ns as f64 / 3.6e12;
        let pace = |(name, done): (&String, &u64)| (name.clone(), *done as f64 / hours);
        let mut pace: Pace = self.work.iter().map(pace).collect();
        pace.insert(verdict::SECONDS.to_owned(), 3600.0);
        pace
    }
}

/// A site that was looked at and found healthy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HealthySite {
    /// Which site.
    pub subject: Subject,
    /// Its class: never leak or suspect.
    pub class: Class,
    /// Live blocks at the end.
    pub live_objects: u64,
    /// Live bytes at the end.
    pub live_bytes: u64,
}
