//! Findings: sites that leak together, named and ranked.
//!
//! One leaked session is seven leaked allocations; a person wants one finding, not seven. Sites
//! belong together if the same function of the user's is responsible, or if their survivors come
//! and go in step beyond what the load explains.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use crate::identity::{NamedFrame, Origin, SharedFrame};
use crate::site::{Site, Subject};
use crate::verdict::{Channel, Class, Confidence, Rate, Verdict};

/// Sites whose survivors correlate beyond this belong together (`docs/VERDICT.md`, "Findings").
const IN_STEP: f64 = 0.98;
/// Survivors must vary by this share of their mean for their correlation to mean anything.
const LEAST_VARIATION: f64 = 0.01;
/// Of so many sites each is compared with each: two million pairs. Beyond them sites that leak together are
/// one finding only if the same function is to blame.
const MOST_COMPARED: usize = 2000;
/// A finding is named by the innermost frame that this share of its growth has in common
/// (`docs/VERDICT.md`, "Findings").
const MOST_OF_IT: f64 = 0.9;

/// How the growth of a site, or of a finding, compares with the build before.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum Change {
    /// There was no such site, or it did not grow.
    New {
        /// What it was judged to be then, if it was there.
        was: Option<Class>,
    },
    /// It grows faster.
    Worse {
        /// As fast as this, in the unit of the rate it is compared with.
        was: Rate,
    },
}

/// A site and what it was judged to be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JudgedSite {
    /// Which site.
    pub subject: Subject,
    /// Its verdict.
    pub verdict: Verdict,
    /// How it compares with the build before, if there is one.
    pub change: Option<Change>,
}

/// What the policy makes of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gate {
    /// Growth over budget.
    Fail,
    /// Too early to say.
    Undecided,
    /// Over budget, but not the user's code to fix.
    Warn,
    /// Within budget, allowed, or accepted before.
    Pass,
}

/// The gate and the reason, as a sentence without its full stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ruling {
    /// What it means for the exit code.
    pub gate: Gate,
    /// Why.
    pub because: String,
}

/// What sets an end to a process's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LimitOf {
    /// The policy says so.
    Policy,
    /// The process's cgroup has a limit.
    Cgroup,
    /// The machine has no more.
    Machine,
}

/// When the memory runs out at this pace.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Projection {
    /// The limit.
    pub limit_bytes: u64,
    /// Where it comes from.
    pub limit_of: LimitOf,
    /// What is used of it now.
    pub used_bytes: u64,
    /// Until it is used up.
    pub seconds: f64,
}

/// Sites that leak together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// Id of the leading site.
    pub id: String,
    /// The worst class among the sites: leak or suspect.
    pub class: Class,
    /// The best confidence among the sites of that class.
    pub confidence: Confidence,
    /// The function to blame.
    pub blamed: SharedFrame,
    /// All sites of the class together, in the leading site's unit of work.
    pub rate: Rate,
    /// The sites, fastest growing first; never empty.
    pub sites: Vec<JudgedSite>,
    /// Index in `sites` of the container that holds the rest, where channel B sees one.
    pub container: Option<usize>,
    /// How it compares with the build before, if there is one.
    pub change: Option<Change>,
    /// When it alone fills the memory; absent without a limit.
    pub runs_out: Option<Projection>,
    /// What the policy makes of it.
    pub ruling: Ruling,
}

impl Finding {
    /// The site that leads: the fastest growing of the worst class.
    pub fn lead(&self) -> &JudgedSite {
        &self.sites[0]
    }

    /// The function of a dependency that allocates, where the blamed one is the user's and called a
    /// dependency.
    pub fn via(&self) -> Option<&SharedFrame> {
        self.lead().subject.via.as_ref()
    }

    /// How much faster it grows than in the build before, if there is one.
    fn bytes_per_hour_more(&self) -> f64 {
        match &self.change {
            Some(Change::Worse { was }) => {
                (self.rate.bytes_per_op - was.bytes_per_op) * self.rate.ops_per_hour
            }
            Some(Change::New { .. }) | None => self.rate.bytes_per_hour(),
        }
    }
}

/// Sites that grow, by index, and how they compare with the build before.
pub type GrowingSites = BTreeMap<usize, Option<Change>>;

/// Groups sites that grow; ranked by class, then by bytes per hour, and where there is a build
/// before by how many more these are.
pub fn group(sites: &[Site], verdicts: &[Verdict], grown: &GrowingSites) -> Vec<Finding> {
    let changes: Vec<&Option<Change>> = grown.values().collect();
    let growing: Vec<usize> = grown.keys().copied().collect();
    let mut groups = Groups::new(growing.len());
    join_same_functions(&mut groups, growing.iter().map(|&i| &sites[i].subject.blamed));
    join_in_step(&mut groups, &growing, sites, verdicts);
    let judged = |&a: &usize| {
        let site = growing[a];
        let (subject, verdict) = (sites[site].subject.clone(), verdicts[site].clone());
        JudgedSite { subject, verdict, change: changes[a].clone() }
    };
    let members = groups.members();
    let mut findings: Vec<Finding> =
        members.iter().map(|group| finding(group.iter().map(judged).collect())).collect();
    findings.sort_by(|a, b| {
        let faster = b.bytes_per_hour_more().total_cmp(&a.bytes_per_hour_more());
        a.class.cmp(&b.class).then(faster).then_with(|| a.id.cmp(&b.id))
    });
    findings
}

/// Joins sites for which the same function is to blame. Closures and futures of which only the module is
/// known may be of any function in it, so of those only the same line is.
fn join_same_functions<'a>(groups: &mut Groups, blamed: impl Iterator<Item = &'a SharedFrame>) {
    let mut first = HashMap::new();
    for (k, frame) in blamed.enumerate() {
        let Some(function) = frame.function_in_file() else { continue };
        let line = frame.line.filter(|_| frame.is_of_unknown_function());
        groups.join(*first.entry((function, line)).or_insert(k), k);
    }
}

/// Joins sites whose survivors come and go in step, of those that grow fastest.
fn join_in_step(groups: &mut Groups, growing: &[usize], sites: &[Site], verdicts: &[Verdict]) {
    let rate = |k: usize| verdicts[growing[k]].rate.bytes_per_hour();
    let mut fastest: Vec<usize> = (0..growing.len()).collect();
    fastest.sort_by(|&a, &b| rate(b).total_cmp(&rate(a)));
    fastest.truncate(MOST_COMPARED);
    let deviating: Vec<(usize, Vec<f64>)> = fastest
        .into_iter()
        .filter_map(|k| Some((k, deviations(&sites[growing[k]], &verdicts[growing[k]])?)))
        .collect();
    for (n, (a, of_a)) in deviating.iter().enumerate() {
        for (b, of_b) in &deviating[n + 1..] {
            if in_step(of_a, of_b) {
                groups.join(*a, *b);
            }
        }
    }
}

fn finding(mut sites: Vec<JudgedSite>) -> Finding {
    sites.sort_by(|a, b| {
        let (left, right) = (&a.verdict, &b.verdict);
        let faster = right.rate.bytes_per_hour().total_cmp(&left.rate.bytes_per_hour());
        left.class.cmp(&right.class).then(faster).then_with(|| a.subject.id.cmp(&b.subject.id))
    });
    let lead = &sites[0];
    let class = lead.verdict.class;
    // What only may leak beside it adds nothing to how fast it does.
    let leading =
        || sites.iter().map(|site| &site.verdict).filter(|verdict| verdict.class == class);
    let confidence = leading().filter_map(|verdict| verdict.confidence).min();
    let container =
        sites.iter().position(|site| site.verdict.channel == Channel::Container && sites.len() > 1);
    Finding {
        id: lead.subject.id.clone(),
        class,
        confidence: confidence.unwrap_or(Confidence::Suspect),
        blamed: blamed(&sites),
        rate: Rate::total(leading().map(|verdict| &verdict.rate)).unwrap_or_default(),
        change: total_change(&sites),
        container,
        runs_out: None,
        // Until somebody rules on it: nothing passes because a step was forgotten.
        ruling: Ruling { gate: Gate::Fail, because: "nobody has ruled on it".into() },
        sites,
    }
}

/// How all sites together compare with the build before.
fn total_change(sites: &[JudgedSite]) -> Option<Change> {
    let mut was = sites[0].verdict.rate.none();
    for site in sites {
        if let Change::Worse { was: rate } = site.change.as_ref()? {
            was.add(rate);
        }
    }
    match was.bytes_per_op > 0.0 {
        true => Some(Change::Worse { was }),
        false => sites[0].change.clone(),
    }
}

/// The smallest subtree of calls that explains most of the growth: the innermost frame of the
/// user's under which it happens; the lead's own frame if there is none in common.
fn blamed(sites: &[JudgedSite]) -> SharedFrame {
    let lead = &sites[0].subject;
    let whole: f64 = sites.iter().map(|site| site.verdict.rate.bytes_per_hour()).sum();
    let share_under = |frame: &NamedFrame| {
        let function = frame.function_in_file();
        let is_it =
            |other: &SharedFrame| function.is_some() && other.function_in_file() == function;
        let under = sites.iter().filter(|site| site.subject.stack.iter().any(is_it));
        under.map(|site| site.verdict.rate.bytes_per_hour()).sum::<f64>()
    };
    let users = lead.stack.iter().filter(|frame| frame.origin == Origin::Workspace);
    let mut common = users.filter(|frame| share_under(frame) >= MOST_OF_IT * whole);
    common.next().unwrap_or(&lead.blamed).clone()
}

/// How the mature survivors differ from what the work explains; `None` if hardly.
fn deviations(site: &Site, verdict: &Verdict) -> Option<Vec<f64>> {
    let Site { axis, series, .. } = site;
    let mature = axis.mature();
    let mut counts = vec![0.0; mature.len()];
    for cohort in series.cohorts().iter().filter(|cohort| mature.contains(&cohort.slot)) {
        counts[cohort.slot - mature.start] = cohort.objects as f64;
    }
    let slots = axis.slots();
    let done = |slot: usize| match slots[slot].work.get(&verdict.rate.work) {
        Some(&work) => work as f64,
        None => slots[slot].elapsed_ns as f64,
    };
    let work = |slot: usize| done(slot) - slot.checked_sub(1).map_or(0.0, done);
    let (total, all) = (counts.iter().sum::<f64>(), mature.clone().map(work).sum::<f64>());
    if total <= 0.0 || all <= 0.0 {
        return None;
    }
    let differs: Vec<f64> =
        mature.clone().zip(&counts).map(|(slot, count)| count - total * work(slot) / all).collect();
    let scale = (differs.iter().map(|d| d * d).sum::<f64>() / differs.len() as f64).sqrt();
    (scale >= LEAST_VARIATION * total / differs.len() as f64).then_some(differs)
}

fn in_step(a: &[f64], b: &[f64]) -> bool {
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    let scale = (dot(a, a) * dot(b, b)).sqrt();
    a.len() >= 4 && a.len() == b.len() && scale > 0.0 && dot(a, b) / scale > IN_STEP
}

/// Disjoint sets, each known by its smallest member.
struct Groups {
    parent: Vec<usize>,
}

impl Groups {
    fn new(len: usize) -> Self {
        Self { parent: (0..len).collect() }
    }

    fn root(&self, mut member: usize) -> usize {
        while self.parent[member] != member {
            member = self.parent[member];
        }
        member
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.parent[a.max(b)] = a.min(b);
    }

    fn members(&self) -> Vec<Vec<usize>> {
        let mut groups = vec![Vec::new(); self.parent.len()];
        for member in 0..self.parent.len() {
            groups[self.root(member)].push(member);
        }
        groups.retain(|group| !group.is_empty());
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::axis::Axis;
    use crate::series::SiteSeries;
    use crate::verdict::{Rule, classify_site};

    /// A finding grew faster than the run it was of: the run sums what leaks, and it summed suspects
    /// as well.
    #[test]
    fn a_finding_grows_as_fast_as_what_leaks_in_it() {
        let site = |class, bytes_per_op| JudgedSite {
            subject: Subject::default(),
            verdict: Verdict {
                class,
                rate: Rate { bytes_per_op, ..Rate::default() },
                ..classify_site(&Axis::default(), &Rule::default(), &SiteSeries::new())
            },
            change: None,
        };
        let rate = |sites| finding(sites).rate.bytes_per_op;
        let (leak, suspect) = (site(Class::Leak, 10.0), site(Class::Suspect, 7.0));
        assert_eq!(rate(vec![leak.clone(), suspect.clone(), leak.clone()]), 20.0);
        assert_eq!(rate(vec![suspect.clone(), suspect]), 14.0);
    }
}
