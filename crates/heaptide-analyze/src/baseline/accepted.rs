//! Growth that was accepted once: only new or worse growth fails from then on.
//!
//! A JSON file, one entry per site and per part of the process that grows, sorted by identity, one
//! entry to a few lines: two branches that accept different sites merge without a conflict of
//! meaning. An update leaves an entry as it is while the growth stays near it, so that accepting
//! again what is there changes no byte.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::finding::{Gate, JudgedSite, Ruling};
use crate::process::Process;
use crate::run_report::RunReport;
use crate::verdict::{Class, LEAST_WORSE_BYTES_PER_OP, Rate, SECONDS, WORSE_FACTOR, unit_of};

/// The version this crate writes.
const BASELINE_VERSION: u32 = 1;

/// One accepted site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// The function that allocates: the key says which site of it, unless its callers have changed.
    pub path: String,
    /// Its file, relative to the crate, for readers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The tag it allocates under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// What it was judged to be.
    pub class: Class,
    /// The unit of work.
    pub work: String,
    /// Growth in blocks per unit of work.
    pub objects_per_op: f64,
    /// Upper bound of the growth in bytes per unit of work.
    pub bytes_per_op: f64,
}

/// All accepted sites, by identity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// Of the file's format, as the writer knew it.
    pub version: u32,
    /// Accepted sites by identity: [`crate::site::Subject::id`].
    pub accepted: BTreeMap<String, Accepted>,
    /// Accepted growth of parts of the process, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parts: BTreeMap<String, AcceptedPart>,
}

/// Accepted growth of one part of the process, of its threads or of its descriptors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcceptedPart {
    /// The unit of work.
    pub work: String,
    /// Growth in bytes, threads or descriptors per unit of work.
    pub per_op: f64,
}

/// Why a baseline could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaselineError(String);

impl fmt::Display for BaselineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BaselineError {}

/// What an update changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// Entries that are new.
    pub new: usize,
    /// Entries whose bound was moved, up or down.
    pub changed: usize,
    /// Entries that were left as they are.
    pub unchanged: usize,
    /// Entries whose site does not grow any more.
    pub dropped: usize,
}

impl Default for Baseline {
    fn default() -> Self {
        Self { version: BASELINE_VERSION, accepted: BTreeMap::new(), parts: BTreeMap::new() }
    }
}

impl Baseline {
    /// Accepts what was found in these runs; where several have the same site or part, the worst.
    pub fn of(runs: &[RunReport]) -> Self {
        let mut baseline = Self::default();
        for (name, rate) in runs.iter().flat_map(|run| run.process.growing()) {
            let part = AcceptedPart { per_op: rounded_up(rate.bytes_per_op), work: rate.work };
            let worst = baseline.parts.entry(name.to_owned()).or_insert_with(|| part.clone());
            if part.per_op > worst.per_op {
                *worst = part;
            }
        }
        for site in runs.iter().flat_map(|run| &run.findings).flat_map(|finding| &finding.sites) {
            let accepted = Accepted::of(site);
            let worst = baseline.accepted.entry(site.subject.id.clone());
            let worst = worst.or_insert_with(|| accepted.clone());
            if accepted.bytes_per_op > worst.bytes_per_op {
                *worst = accepted;
            }
        }
        baseline
    }

    /// Takes over what grows today, and leaves alone what has hardly changed.
    pub fn update(&mut self, today: Self) -> Update {
        let mut update = Update::default();
        let mut before = std::mem::take(&mut self.accepted);
        for (id, accepted) in today.accepted {
            let was = before.remove(&id);
            let kept = was.as_ref().filter(|was| was.is_near(&accepted)).cloned();
            match (&was, &kept) {
                (None, _) => update.new += 1,
                (Some(_), Some(_)) => update.unchanged += 1,
                (Some(_), None) => update.changed += 1,
            }
            self.accepted.insert(id, kept.unwrap_or(accepted));
        }
        let was = std::mem::replace(&mut self.parts, today.parts);
        for (name, part) in &mut self.parts {
            if let Some(was) = was.get(name).filter(|was| was.is_near(part)) {
                *part = was.clone();
            }
        }
        self.version = today.version;
        update.dropped = before.len();
        update
    }

    /// Reads the file.
    ///
    /// # Errors
    /// What is wrong and where, or that a newer version wrote it.
    pub fn parse(text: &str) -> Result<Self, BaselineError> {
        let baseline: Self =
            serde_json::from_str(text).map_err(|error| BaselineError(error.to_string()))?;
        if baseline.version > BASELINE_VERSION {
            let version = baseline.version;
            return Err(BaselineError(format!(
                "version {version} is newer than this program knows ({BASELINE_VERSION}): update heaptide"
            )));
        }
        Ok(baseline)
    }

    /// The file: sorted, indented, with a final line feed.
    pub fn to_json(&self) -> String {
        // Strings, numbers and maps with string keys always have a JSON form.
        serde_json::to_string_pretty(self).map(|text| text + "\n").unwrap_or_default()
    }

    /// Lets parts of a process pass whose growth was accepted.
    pub(crate) fn amend_parts(&self, process: &mut Process, pace: &BTreeMap<String, f64>) {
        for (name, rate, ruling) in process.rulings_mut() {
            let is_open = matches!(ruling.gate, Gate::Fail | Gate::Undecided);
            let Some(accepted) = self.parts.get(name).filter(|_| is_open) else { continue };
            *ruling = match accepted.admits(&rate, pace) {
                true => Ruling { gate: Gate::Pass, because: "accepted in the baseline".into() },
                false => Ruling { because: "worse than accepted".into(), ..ruling.clone() },
            };
        }
    }
}

impl AcceptedPart {
    fn admits(&self, rate: &Rate, pace: &BTreeMap<String, f64>) -> bool {
        // Time that stands in for work is none of the counters, and known by the rate alone.
        let ops_per_hour = match rate.work == self.work {
            true => rate.ops_per_hour,
            false => pace.get(&self.work).copied().unwrap_or(0.0),
        };
        let now = rate.per(&self.work, ops_per_hour).bytes_per_op;
        ops_per_hour > 0.0 && now <= self.per_op * WORSE_FACTOR
    }

    /// The same unit, and neither is worse.
    fn is_near(&self, other: &Self) -> bool {
        let (less, more) = (self.per_op.min(other.per_op), self.per_op.max(other.per_op));
        self.work == other.work && more <= less * WORSE_FACTOR
    }
}

impl Accepted {
    fn of(site: &JudgedSite) -> Self {
        let (subject, rate) = (&site.subject, &site.verdict.rate);
        Self {
            path: subject.path.clone(),
            file: subject.blamed.crate_relative_file(),
            tag: subject.tag.clone(),
            class: site.verdict.class,
            work: rate.work.clone(),
            objects_per_op: rounded(rate.objects_per_op),
            bytes_per_op: rounded(rate.bytes_per_op_upper),
        }
    }

    /// Why growth is worse than accepted, at this pace of work; `None` if it is not.
    pub(super) fn exceeded_by(&self, rate: &Rate, pace: &BTreeMap<String, f64>) -> Option<String> {
        let Some(&ops_per_hour) = pace.get(&self.work) else {
            let work = &self.work;
            return Some(format!("accepted per unit of `{work}`, which this run does not count"));
        };
        let (now, was) = (rate.per(&self.work, ops_per_hour).bytes_per_op, self.bytes_per_op);
        let worse = now > was * WORSE_FACTOR && now - was > LEAST_WORSE_BYTES_PER_OP;
        // The faster the machine, the more work a second holds.
        let doubt =
            if self.work == SECONDS { "; count work, and it is judged by that" } else { "" };
        let unit = unit_of(&self.work);
        worse.then(|| {
            format!("worse than accepted: {now:.1} B/{unit}, accepted up to {was:.1}{doubt}")
        })
    }

    /// Its function, and the tag that it allocates under.
    pub(super) fn function(&self) -> (&str, Option<&str>) {
        (&self.path, self.tag.as_deref())
    }

    /// How unlike this growth is, at this pace of work: the logarithm of how many times more or less.
    pub(super) fn differs_from(&self, rate: &Rate, pace: &BTreeMap<String, f64>) -> f64 {
        let ops_per_hour = pace.get(&self.work).copied().unwrap_or(rate.ops_per_hour);
        let now = rate.per(&self.work, ops_per_hour).bytes_per_op;
        (now / self.bytes_per_op).ln().abs()
    }

    /// The same site, class and unit, and neither side is worse.
    fn is_near(&self, other: &Self) -> bool {
        let differs = (self.bytes_per_op - other.bytes_per_op).abs();
        let (less, more) = match self.bytes_per_op < other.bytes_per_op {
            true => (self.bytes_per_op, other.bytes_per_op),
            false => (other.bytes_per_op, self.bytes_per_op),
        };
        let same = (&self.path, &self.file, &self.tag, self.class, &self.work)
            == (&other.path, &other.file, &other.tag, other.class, &other.work);
        same && (more <= less * WORSE_FACTOR || differs <= LEAST_WORSE_BYTES_PER_OP)
    }
}

/// As [`rounded`], never to less: a thread in a thousand requests is growth.
fn rounded_up(value: f64) -> f64 {
    (value * 1e6).ceil() / 1e6
}

/// Three digits after the point are enough, and keep the file's diffs quiet.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
