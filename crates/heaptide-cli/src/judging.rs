//! From paths and options to a report: load, name, judge. All thinking is the analyzer's.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use heaptide_analyze::axis::Axis;
use heaptide_analyze::baseline::Baseline;
use heaptide_analyze::finding::{self, StackFrame, Subject};
use heaptide_analyze::identity::{Identity, NamedFrame, Origin, SiteKey, WorkspaceCrates};
use heaptide_analyze::judge::{self, Report};
use heaptide_analyze::load::{self, Recordings, Run};
use heaptide_analyze::policy::{Date, Inconclusive, Policy};
use heaptide_analyze::series::SiteSeries;
use heaptide_analyze::symbols::{self, ElfResolver, Symbols};
use heaptide_format::{Line, Names, Site};

use crate::args::{self, Judging};

/// Where a policy is looked for if none is named.
const POLICY_FILE: &str = "heaptide.toml";

/// How to judge: all files read, all options applied.
#[derive(Debug)]
pub(crate) struct Judge {
    policy: Policy,
    baseline: Option<Baseline>,
    symbol_path: Vec<PathBuf>,
    workspace: WorkspaceCrates,
    today: Date,
}

impl Judge {
    /// Reads the policy and the baseline.
    pub(crate) fn new(judging: &Judging) -> anyhow::Result<Self> {
        let mut policy = policy(judging.config.as_deref())?;
        match judging.inconclusive {
            Some(args::Inconclusive::Pass) => policy.inconclusive = Inconclusive::Pass,
            Some(args::Inconclusive::Fail) => policy.inconclusive = Inconclusive::Fail,
            None => {}
        }
        if judging.work.is_some() {
            policy.work.clone_from(&judging.work);
        }
        let baseline = judging.baseline.as_deref().map(baseline).transpose()?;
        let symbol_path = judging.symbol_path.clone();
        Ok(Self { baseline, symbol_path, ..Self::by_default() }.with_policy(policy))
    }

    /// Without any file: the default policy.
    pub(crate) fn by_default() -> Self {
        Self {
            policy: Policy::default(),
            baseline: None,
            symbol_path: Vec::new(),
            workspace: WorkspaceCrates::new(),
            today: jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date(),
        }
    }

    fn with_policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    /// Counts this crate as the user's own, wherever its source lies.
    pub(crate) fn with_own_crate(mut self, name: &str) -> Self {
        self.workspace.insert(name.to_owned());
        self
    }

    /// Loads recordings and judges them.
    pub(crate) fn judge(&self, paths: &[PathBuf]) -> anyhow::Result<Report> {
        let Recordings { runs, warnings } = load::load(paths)?;
        let mut doubts: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        let mut resolver = ElfResolver::new(self.symbol_path.clone());
        let mut read = Vec::with_capacity(runs.len());
        for run in &runs {
            let axis = Axis::new(&run.timeline, &self.policy.settings());
            let (series, warnings) = run.series(&axis)?;
            let symbols = Symbols::look_up(run, &mut resolver);
            doubts.extend(warnings.iter().map(ToString::to_string));
            doubts.extend(symbols.problems.iter().map(ToString::to_string));
            let sites = self.named(run, &symbols, series);
            read.push((&run.timeline, axis, sites));
        }
        let runs: Vec<judge::Run<'_>> = read
            .iter()
            .map(|(timeline, axis, sites)| judge::Run { timeline, axis, sites })
            .collect();
        let mut report = judge::judge(&runs, &self.policy, self.baseline.as_ref(), self.today);
        report.warnings.splice(0..0, doubts);
        Ok(report)
    }

    /// Looks up names now, while the executables are as they were, and appends them to the
    /// recordings.
    pub(crate) fn append_names(&self, paths: &[PathBuf]) -> anyhow::Result<()> {
        let mut resolver = ElfResolver::new(self.symbol_path.clone());
        for run in load::load(paths)?.runs {
            let (lines, _) = symbols::names_for(&run, &mut resolver);
            if let Some(path) = run.files.last() {
                append(path, lines)
                    .with_context(|| format!("cannot append names to {}", path.display()))?;
            }
        }
        Ok(())
    }

    /// Sites by name; those of one identity are judged as one.
    fn named(
        &self,
        run: &Run,
        symbols: &Symbols,
        series: BTreeMap<heaptide_format::SiteId, SiteSeries>,
    ) -> Vec<(Subject, SiteSeries)> {
        let mut named: BTreeMap<SiteKey, (Subject, SiteSeries)> = BTreeMap::new();
        for (id, series) in series {
            let unknown = || Site { id, tag: None, frames: Vec::new(), truncated: true };
            let site = run.sites.get(&id).cloned().unwrap_or_else(unknown);
            let (key, subject) = self.subject(&site, symbols);
            match named.entry(key) {
                Entry::Vacant(vacant) => {
                    vacant.insert((subject, series));
                }
                Entry::Occupied(mut same) => same.get_mut().1.merge(&series),
            }
        }
        named.into_values().collect()
    }

    fn subject(&self, site: &Site, symbols: &Symbols) -> (SiteKey, Subject) {
        let stack = symbols.stack(site);
        let identity = Identity::of(&stack, site.tag.as_deref(), &self.workspace);
        let frame = |frame: &NamedFrame| self.frame(frame);
        let blamed = identity.responsible.as_ref().map(frame).unwrap_or_default();
        let subject = Subject {
            id: identity.id.to_string(),
            path: identity.path,
            tag: site.tag.clone(),
            blamed,
            stack: stack.frames.iter().map(frame).collect(),
        };
        (identity.id, subject)
    }

    fn frame(&self, frame: &NamedFrame) -> StackFrame {
        let package = match &frame.origin {
            Origin::Dependency(package) => Some(package.clone()),
            _ => frame.crate_name(),
        };
        let is_own = frame.crate_name().is_some_and(|name| self.workspace.contains(&name));
        let origin = match &frame.origin {
            _ if is_own => finding::Origin::Workspace,
            Origin::Workspace => finding::Origin::Workspace,
            Origin::Dependency(_) => finding::Origin::Dependency,
            Origin::Std => finding::Origin::Std,
            Origin::Unknown => finding::Origin::Unknown,
        };
        let NamedFrame { function, file, line, .. } = frame.clone();
        StackFrame { function, file, line, package, origin }
    }
}

/// The policy in `config`, or in the current directory's `heaptide.toml`, or the default one.
pub(crate) fn policy(config: Option<&Path>) -> anyhow::Result<Policy> {
    let path = config.unwrap_or(Path::new(POLICY_FILE));
    if config.is_none() && !path.exists() {
        return Ok(Policy::default());
    }
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    Policy::parse(&text).map_err(|wrong| anyhow!("{}: {wrong}", path.display()))
}

/// Appends lines, unless the last one is torn: then they would be part of it.
fn append(path: &Path, lines: Vec<Names>) -> std::io::Result<()> {
    let mut file = File::options().read(true).append(true).open(path)?;
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last != *b"\n" {
        return Ok(());
    }
    let mut bytes = Vec::new();
    lines.into_iter().for_each(|names| Line::Names(names).write_to(&mut bytes));
    file.write_all(&bytes)
}

fn baseline(path: &Path) -> anyhow::Result<Baseline> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    Baseline::parse(&text).map_err(|wrong| anyhow!("{}: {wrong}", path.display()))
}
