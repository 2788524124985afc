//! From recordings to a report: load, sum up, name, judge.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use heaptide_format::{Site, SiteId};

use crate::axis::Axis;
use crate::baseline::Baseline;
use crate::compare::Before;
use crate::identity::{
    Identity, NamedFrame, SharedFrame, SiteKey, Spawners, Stack, WorkspaceCrates,
};
use crate::judge::{Classify, Criteria, Outcome, Report, judge_runs, judge_runs_by};
use crate::load::{self, Error, Loaded, Recording, Threads, Warning};
use crate::policy::{Date, Policy};
use crate::series::{self, SiteSeries};
use crate::site::{self, Subject};
use crate::symbols::{Resolve, Symbols};
use crate::view::{self, Limits, Members, RunView};

/// What recordings are judged by.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Budgets, exceptions, and the constants of the rule.
    pub policy: Policy,
    /// Growth that was accepted before.
    pub baseline: Option<Baseline>,
    /// The build before, if only what is new or worse is asked for.
    pub before: Option<Before>,
    /// Crates that are the user's own, wherever their source lies.
    pub workspace: WorkspaceCrates,
    /// Decides which exceptions have expired.
    pub today: Date,
    /// How many threads read; the outcome does not depend on it.
    pub threads: Threads,
}

/// Loads the recordings at `paths` and judges their runs. What was wrong with the recordings comes
/// first among the report's warnings.
///
/// # Errors
/// A recording cannot be read; see [`load::load`].
pub fn judge(
    paths: &[PathBuf],
    resolver: &mut dyn Resolve,
    terms: &Terms,
) -> Result<Report, Error> {
    judge_read(paths, resolver, terms, judge_runs, |report, _| Ok(report))
}

/// The same by verdicts that are reached in another way; see [`judge_runs_by`].
///
/// # Errors
/// Those of [`judge`].
pub fn judge_by(
    paths: &[PathBuf],
    resolver: &mut dyn Resolve,
    terms: &Terms,
    classify: Classify<'_>,
) -> Result<Report, Error> {
    let judge =
        |runs: &[site::Run<'_>], criteria: &Criteria<'_>| judge_runs_by(runs, criteria, classify);
    judge_read(paths, resolver, terms, judge, |report, _| Ok(report))
}

/// The same, and how each run went over time, in the order of the report: what a page draws. It
/// takes one more pass over the rows.
///
/// # Errors
/// Those of [`judge`].
pub fn judge_and_view(
    paths: &[PathBuf],
    resolver: &mut dyn Resolve,
    terms: &Terms,
    limits: &Limits,
) -> Result<(Report, Vec<RunView>), Error> {
    judge_read(paths, resolver, terms, judge_runs, |report, read| {
        let views = read.iter().zip(&report.runs).map(|(run, judged)| {
            let Read { recording, axis, sites, site_of } = run;
            view::read(&Members { recording, axis, sites, site_of, judged }, limits, terms.threads)
        });
        let views = views.collect::<Result<_, _>>()?;
        Ok((report, views))
    })
}

/// Judges, and hands over what was read.
fn judge_read<T>(
    paths: &[PathBuf],
    resolver: &mut dyn Resolve,
    terms: &Terms,
    judge: impl FnOnce(&[site::Run<'_>], &Criteria<'_>) -> Report,
    finish: impl FnOnce(Report, &[Read<'_>]) -> Result<T, Error>,
) -> Result<T, Error> {
    let Loaded { recordings, warnings } = load::load(paths)?;
    let mut doubts = Doubts::default();
    doubts.add(&warnings);
    let mut read = Vec::with_capacity(recordings.len());
    for run in &recordings {
        let symbols = Symbols::look_up(run, resolver, &terms.workspace);
        doubts.warnings.extend(symbols.problems.iter().map(ToString::to_string));
        read.push(Read::new(run, &symbols, terms, &mut doubts)?);
    }
    let runs: Vec<site::Run<'_>> = read.iter().map(Read::as_run).collect();
    let criteria = Criteria {
        policy: &terms.policy,
        baseline: terms.baseline.as_ref(),
        before: terms.before.as_ref(),
        today: terms.today,
    };
    let mut report = judge(&runs, &criteria);
    doubts.put_into(&mut report);
    finish(report, &read)
}

/// What is wrong with the recordings, one sentence each.
#[derive(Default)]
struct Doubts {
    warnings: Vec<String>,
    contradictions: Vec<String>,
}

impl Doubts {
    fn add(&mut self, warnings: &[Warning]) {
        let (wrong, rest): (Vec<&Warning>, _) =
            warnings.iter().partition(|warning| warning.is_contradiction());
        self.contradictions.extend(wrong.into_iter().map(ToString::to_string));
        self.warnings.extend(rest.into_iter().map(ToString::to_string));
    }

    /// Whatever else was found rests on numbers of which some cannot be true, if there are such.
    fn put_into(self, report: &mut Report) {
        report.warnings.splice(0..0, self.warnings);
        if !self.contradictions.is_empty() {
            report.errors.splice(0..0, self.contradictions);
            report.outcome = Outcome::Error;
        }
    }
}

/// Sites by their id in the recording.
type Named = BTreeMap<SiteId, (SiteKey, Subject)>;

/// A run, summed up and named.
struct Read<'a> {
    recording: &'a Recording,
    axis: Arc<Axis>,
    sites: Vec<site::Site>,
    /// Which of the sites each site of the recording is part of.
    site_of: HashMap<SiteId, usize>,
}

impl<'a> Read<'a> {
    /// Reads the rows once, each site on the axis of its own lifetime.
    fn new(
        run: &'a Recording,
        symbols: &Symbols,
        terms: &Terms,
        doubts: &mut Doubts,
    ) -> Result<Self, Error> {
        let identities = symbols.identities(run).into_iter();
        let named = identities.zip(run.sites.values());
        let mut subjects: Named =
            named.map(|((id, it), site)| (id, subject(it, site, symbols))).collect();
        let unlisted = |id| {
            let site = Site { id, tag: None, frames: Vec::new(), truncated: true };
            subject(Identity::of(&Stack::default(), None), &site, symbols)
        };
        let blamed: HashMap<SiteId, SharedFrame> =
            subjects.iter().map(|(id, (_, it))| (*id, it.blamed.clone())).collect();
        let spawned_by = spawned_by(&subjects);
        let axes = Axes::new(run, &terms.policy, &subjects, &unlisted(SiteId(0)).1);
        let (series, warnings) = series::read(run, &axes.general, |id| axes.of(id), terms.threads)?;
        doubts.add(&warnings);
        let mut sites = BTreeMap::new();
        let mut key_of = HashMap::new();
        for (id, series) in series {
            let mut named = subjects.remove(&id).unwrap_or_else(|| unlisted(id));
            named.1.grew_at = grew_at(&series, &blamed, &named.1.blamed);
            named.1.spawned_by = spawned_by.get(&id).cloned();
            key_of.insert(id, named.0);
            add(&mut sites, named, axes.of(id), series);
        }
        let index: HashMap<SiteKey, usize> = sites.keys().copied().zip(0..).collect();
        let site_of = key_of.into_iter().map(|(id, key)| (id, index[&key])).collect();
        let sites = sites.into_values().collect();
        Ok(Self { recording: run, axis: axes.general, sites, site_of })
    }

    fn as_run(&self) -> site::Run<'_> {
        site::Run { timeline: &self.recording.timeline, axis: &self.axis, sites: &self.sites }
    }
}

/// The axes of a run. They have the same slots, and differ in when blocks are old enough.
struct Axes {
    /// By the general lifetime.
    general: Arc<Axis>,
    /// What a site is judged on that the recording has rows but no stack of.
    usual: Arc<Axis>,
    /// By the lifetimes that the policy gives to some sites; those on the usual axis are left out.
    own: HashMap<SiteId, Arc<Axis>>,
}

impl Axes {
    fn new(run: &Recording, policy: &Policy, sites: &Named, unlisted: &Subject) -> Self {
        let general = Arc::new(Axis::new(&run.timeline, &policy.settings()));
        let mut by_lifetime = BTreeMap::from([(None, Arc::clone(&general))]);
        let mut axis_of = |subject: &Subject| {
            let lifetime_ns = policy.lifetime_of(subject);
            let settings = policy.settings_with(lifetime_ns);
            let axis = || Axis::new(&run.timeline, &settings).into();
            Arc::clone(by_lifetime.entry(lifetime_ns).or_insert_with(axis))
        };
        let usual = axis_of(unlisted);
        let own = sites.iter().map(|(id, (_, subject))| (*id, axis_of(subject)));
        let own = own.filter(|(_, axis)| !Arc::ptr_eq(axis, &usual)).collect();
        Self { general, usual, own }
    }

    fn of(&self, id: SiteId) -> &Arc<Axis> {
        self.own.get(&id).unwrap_or(&self.usual)
    }
}

/// Where the largest block of a site was last resized; `None` if that is not known, or where it was
/// made.
fn grew_at(
    series: &SiteSeries,
    blamed: &HashMap<SiteId, SharedFrame>,
    made_at: &SharedFrame,
) -> Option<SharedFrame> {
    let grown_at = blamed.get(&series.growth().last()?.grown_at?)?;
    let is_elsewhere = (&grown_at.file, grown_at.line) != (&made_at.file, made_at.line);
    is_elsewhere.then(|| grown_at.clone())
}

/// Who spawned the tasks and threads on which sites without a frame of the user's are.
fn spawned_by(sites: &Named) -> HashMap<SiteId, SharedFrame> {
    let spawners = Spawners::of(sites.values().map(|(_, site)| &*site.stack));
    let of_site = |(id, (_, site)): (&SiteId, &(SiteKey, Subject))| {
        Some((*id, spawners.of_task(&site.stack)?.clone()))
    };
    sites.iter().filter_map(of_site).collect()
}

/// Adds a site; those of one identity are one.
fn add(
    sites: &mut BTreeMap<SiteKey, site::Site>,
    (key, subject): (SiteKey, Subject),
    axis: &Arc<Axis>,
    series: SiteSeries,
) {
    match sites.entry(key) {
        Entry::Vacant(vacant) => {
            vacant.insert(site::Site { subject, axis: Arc::clone(axis), series });
        }
        Entry::Occupied(mut same) => same.get_mut().series.merge(&series),
    }
}

fn subject(identity: Identity, site: &Site, symbols: &Symbols) -> (SiteKey, Subject) {
    let stack = symbols.stack(site);
    // Nobody is responsible for what the runtime allocates, but a report must call it something.
    let runtime = || NamedFrame { function: identity.path.clone(), ..NamedFrame::default() }.into();
    let blamed = identity.responsible.unwrap_or_else(runtime);
    let subject = Subject {
        id: identity.id.to_string(),
        path: identity.path,
        tag: site.tag.clone(),
        blamed,
        via: identity.dependency,
        grew_at: None,
        spawned_by: None,
        stack: stack.frames,
    };
    (identity.id, subject)
}
