//! From paths and options to a report. All thinking is the analyzer's; files are read here.

use std::cell::RefCell;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, anyhow};
use heaptide_analyze::Report;
use heaptide_analyze::Terms;
use heaptide_analyze::baseline::Baseline;
use heaptide_analyze::compare::Before;
use heaptide_analyze::identity::WorkspaceCrates;
use heaptide_analyze::load::{self, Threads};
use heaptide_analyze::policy::{Dependencies, Inconclusive, Policy};
use heaptide_analyze::symbols;
use heaptide_analyze::view::{Limits, RunView};
use heaptide_format::{Line, Names};

use crate::args::{self, JudgingOptions};
use crate::limits::{MOST_BASELINE_BYTES, MOST_POLICY_BYTES, read_text};
use crate::symbol_cache::CachingResolver;
use crate::{output, workspace};

/// Where a policy is looked for if none is named.
const POLICY_FILE: &str = "heaptide.toml";

/// How to judge: all files read, all options applied.
#[derive(Debug)]
pub(crate) struct Judge {
    terms: Terms,
    names: RefCell<CachingResolver>,
}

impl Judge {
    /// Reads the policy and the baseline.
    pub(crate) fn new(judging: &JudgingOptions) -> anyhow::Result<Self> {
        let mut policy = policy(judging.config.as_deref())?;
        match judging.inconclusive {
            Some(args::Inconclusive::Pass) => policy.inconclusive = Inconclusive::Pass,
            Some(args::Inconclusive::Fail) => policy.inconclusive = Inconclusive::Fail,
            None => {}
        }
        match judging.fail_on {
            Some(args::FailOn::Any) => policy.budget.dependencies = Dependencies::Fail,
            Some(args::FailOn::Workspace) => policy.budget.dependencies = Dependencies::Warn,
            None => {}
        }
        if judging.work.is_some() {
            policy.work.clone_from(&judging.work);
        }
        let baseline = judging.baseline.as_deref().map(baseline).transpose()?;
        let Self { terms, .. } = Self::by_default();
        let workspace = workspace(&policy);
        let threads = judging.threads.map_or(terms.threads, Threads);
        let terms = Terms { policy, baseline, workspace, threads, ..terms };
        let names = RefCell::new(CachingResolver::new(judging.symbol_path.clone()));
        let mut judge = Self { terms, names };
        if !judging.before.is_empty() {
            judge.terms.before = Some(judge.before(&judging.before)?);
        }
        Ok(judge)
    }

    /// Without any file: the default policy.
    pub(crate) fn by_default() -> Self {
        let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
        let threads = Threads(thread::available_parallelism().unwrap_or(NonZeroUsize::MIN));
        Self { terms: Terms { today, threads, ..Terms::default() }, names: RefCell::default() }
    }

    /// Counts this crate as the user's own, wherever its source lies.
    pub(crate) fn with_own_crate(mut self, name: &str) -> Self {
        self.terms.workspace.insert(name.to_owned());
        self
    }

    /// Takes names from this executable, with a build id or without: the user had it run.
    pub(crate) fn trusts(&self, exe: &Path) {
        self.names.borrow_mut().also_in(exe.to_owned());
    }

    /// Loads recordings and judges them.
    pub(crate) fn judge(&self, paths: &[PathBuf]) -> anyhow::Result<Report> {
        Ok(heaptide_analyze::judge(paths, &mut *self.names.borrow_mut(), &self.terms)?)
    }

    /// The same, and how each run went over time.
    pub(crate) fn judge_and_view(
        &self,
        paths: &[PathBuf],
    ) -> anyhow::Result<(Report, Vec<RunView>)> {
        let names = &mut *self.names.borrow_mut();
        let limits = Limits::default();
        Ok(heaptide_analyze::judge_and_view(paths, names, &self.terms, &limits)?)
    }

    /// What the recordings at `after` have that those of a build before have not, and how each run
    /// went over time.
    pub(crate) fn compared(
        &self,
        before: &[PathBuf],
        after: &[PathBuf],
    ) -> anyhow::Result<(Report, Vec<RunView>)> {
        let terms = Terms { before: Some(self.before(before)?), ..self.terms.clone() };
        let names = &mut *self.names.borrow_mut();
        Ok(heaptide_analyze::judge_and_view(after, names, &terms, &Limits::default())?)
    }

    /// Appends names to the recordings, so that they can be read elsewhere, and judges them.
    pub(crate) fn name_and_judge(&self, paths: &[PathBuf]) -> anyhow::Result<Report> {
        if let Err(cause) = self.append_names(paths) {
            let but = "on other machines this recording shows addresses";
            output::warn([format!("{cause:#}: {but}")]);
        }
        self.judge(paths)
    }

    /// What there is to know of the build before.
    fn before(&self, paths: &[PathBuf]) -> anyhow::Result<Before> {
        let report = self.judge(paths).context("cannot judge the build before")?;
        let said = report.errors.iter().chain(&report.warnings);
        output::warn(said.map(|text| format!("the build before: {text}")));
        Ok(Before::of(&report.runs))
    }

    /// Looks up names now, while the executables are as they were, and appends them to the
    /// recordings.
    fn append_names(&self, paths: &[PathBuf]) -> anyhow::Result<()> {
        for run in load::load(paths)?.recordings {
            let (lines, _) = symbols::names_for(&run, &mut *self.names.borrow_mut());
            if let Some(path) = run.files.last() {
                append(path, lines)
                    .with_context(|| format!("cannot append names to {}", path.display()))?;
            }
        }
        Ok(())
    }
}

/// The policy in `config`, or in the current directory's `heaptide.toml`, or the default one.
fn policy(config: Option<&Path>) -> anyhow::Result<Policy> {
    let path = config.unwrap_or(Path::new(POLICY_FILE));
    if config.is_none() && !path.exists() {
        return Ok(Policy::default());
    }
    let text = read_text(path, MOST_POLICY_BYTES)
        .with_context(|| format!("cannot read the policy {}", path.display()))?;
    let policy = Policy::parse(&text).map_err(|wrong| anyhow!("{}:{wrong}", path.display()))?;
    Ok(policy.from_file(&path.display().to_string()))
}

/// The crates that the policy names, or else those of the Cargo workspace here.
fn workspace(policy: &Policy) -> WorkspaceCrates {
    if !policy.workspace.is_empty() {
        return policy.workspace.iter().map(|name| name.replace('-', "_")).collect();
    }
    let here = std::env::current_dir().context("there is no current directory");
    here.and_then(|here| workspace::crates(&here)).unwrap_or_else(|cause| {
        output::warn([format!("cannot tell which crates are yours: {cause:#}")]);
        WorkspaceCrates::new()
    })
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

/// Reads a baseline file.
pub(crate) fn baseline(path: &Path) -> anyhow::Result<Baseline> {
    let file = path.display();
    let text = read_text(path, MOST_BASELINE_BYTES).with_context(|| {
        format!(
            "cannot read the baseline {file}; `heaptide baseline REC --update {file}` writes it"
        )
    })?;
    Baseline::parse(&text)
        .map_err(|wrong| anyhow!("{file}: not a baseline that this heaptide can read: {wrong}"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use heaptide_format::{ModuleId, NamedOffset, Snapshot};

    use super::*;

    #[test]
    fn options_go_before_the_policy() -> anyhow::Result<()> {
        let dir = tempfile::tempdir()?;
        let config = dir.path().join("policy.toml");
        fs::write(&config, "work = \"logins\"\ninconclusive = \"fail\"\n")?;
        let check = |options: JudgingOptions, work: &str, inconclusive: Inconclusive| {
            let config = Some(config.clone());
            let judge = Judge::new(&JudgingOptions { config, ..options }).map(|it| it.terms.policy);
            let found = judge.map(|policy| (policy.work.clone(), policy.inconclusive));
            assert_eq!(found.ok(), Some((Some(work.to_owned()), inconclusive)));
        };
        let plain = JudgingOptions::default;
        check(plain(), "logins", Inconclusive::Fail);
        check(
            JudgingOptions { work: Some("carts".into()), ..plain() },
            "carts",
            Inconclusive::Fail,
        );
        let pass = Some(args::Inconclusive::Pass);
        check(JudgingOptions { inconclusive: pass, ..plain() }, "logins", Inconclusive::Pass);
        Ok(())
    }

    #[test]
    fn crates_of_the_policy_are_written_as_in_paths() -> anyhow::Result<()> {
        let policy = Policy::parse("workspace = [\"session-store\", \"shop\"]")
            .map_err(|wrong| anyhow!("{wrong}"))?;
        let names: Vec<_> = workspace(&policy).into_iter().collect();
        assert_eq!(names, ["session_store", "shop"]);
        Ok(())
    }

    /// A torn last line would have swallowed the names.
    #[test]
    fn names_are_appended_to_whole_lines_only() -> anyhow::Result<()> {
        let names = || Names { module: ModuleId(0), offsets: Vec::<NamedOffset>::new() };
        let mut snapshot = Vec::new();
        Line::Snapshot(Snapshot::default()).write_to(&mut snapshot);
        let mut named = snapshot.clone();
        Line::Names(names()).write_to(&mut named);
        let torn = snapshot.trim_ascii_end();
        for (before, after) in [(&snapshot[..], &named[..]), (torn, torn)] {
            let file = tempfile::NamedTempFile::new()?;
            fs::write(file.path(), before)?;
            append(file.path(), vec![names()])?;
            assert_eq!(fs::read(file.path())?, after);
        }
        assert!(append(Path::new("/no/such/file"), vec![names()]).is_err());
        Ok(())
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let check = |said: anyhow::Error, says: &str| {
            let said = format!("{said:#}");
            assert!(said.contains(says), "{said}");
        };
        let absent = Path::new("absent.toml");
        check(policy(Some(absent)).unwrap_err(), "cannot read the policy absent.toml");
        check(baseline(absent).unwrap_err(), "`heaptide baseline REC --update absent.toml`");
        let cargo_toml = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
        check(policy(Some(cargo_toml)).unwrap_err(), "Cargo.toml:12:3: unknown field");
        check(baseline(cargo_toml).unwrap_err(), "not a baseline that this heaptide can read");
    }
}
