//! What a job of GitHub Actions or GitLab shows besides its log, written there unasked: a team that
//! runs the command in a job wants the finding in the pull request, and should not have to ask for it.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use heaptide_analyze::Report;
use heaptide_report::{View, github, gitlab, markdown};
use serde_json::Value;

use crate::args::{Format, JudgingOptions};
use crate::exit::Exit;
use crate::output::{self, tell};

/// Where GitLab's documentation has its code quality report, below the project's directory.
const CODE_QUALITY: &str = "gl-code-quality-report.json";

/// Writes a report as it was asked for, then what the job shows of it; says how to exit.
pub(crate) fn report(report: &Report, judging: &JudgingOptions) -> anyhow::Result<Exit> {
    let exit = output::report(report, judging.format)?;
    if let Some(job) = CiJob::detect().filter(|_| !judging.no_ci) {
        job.publish(report, judging.format);
    }
    Ok(exit)
}

/// The job that this process is part of.
#[derive(Debug, PartialEq, Eq)]
enum CiJob {
    GitHub {
        /// The checkout: annotations name files from there.
        workspace: Option<PathBuf>,
        /// The file that is shown on the page of the job, to be appended to.
        summary: Option<PathBuf>,
    },
    GitLab {
        /// The checkout.
        project: Option<PathBuf>,
    },
}

impl CiJob {
    /// The job that the environment tells of, if any.
    fn detect() -> Option<Self> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let is_set = |name| variable(name).is_some_and(|value| value == "true");
        let path = |name| variable(name).filter(|path| !path.is_empty()).map(PathBuf::from);
        if is_set("GITHUB_ACTIONS") {
            let (workspace, summary) = (path("GITHUB_WORKSPACE"), path("GITHUB_STEP_SUMMARY"));
            return Some(Self::GitHub { workspace, summary });
        }
        is_set("GITLAB_CI").then(|| Self::GitLab { project: path("CI_PROJECT_DIR") })
    }

    /// Writes what the job shows of a report, and says so. That it cannot be written is said as well
    /// and changes no verdict. `format` is the one that standard output has already.
    fn publish(&self, report: &Report, format: Format) {
        let written = match self {
            Self::GitHub { workspace, summary } => {
                to_github(report, format, &view(workspace.as_deref()), summary.as_deref())
            }
            Self::GitLab { project } => to_gitlab(report, project.as_deref()),
        };
        match written {
            Ok(what) if what.is_empty() => {}
            Ok(what) => tell(&format!("wrote {} (--no-ci leaves that out)", what.join(" and "))),
            Err(cause) => output::warn([format!("{cause:#}")]),
        }
    }
}

/// Of a reader who has the checkout before him.
fn view(checkout: Option<&Path>) -> View {
    let here = || std::env::current_dir().unwrap_or_default();
    View { root: checkout.map_or_else(here, Path::to_path_buf), ..View::default() }
}

fn to_github(
    report: &Report,
    format: Format,
    view: &View,
    summary: Option<&Path>,
) -> anyhow::Result<Vec<&'static str>> {
    let mut written = Vec::new();
    if format != Format::Github {
        // The runner reads commands from both streams, and standard output is the report's.
        output::document_err(&github::write(report, view));
        written.push("annotations");
    }
    if let Some(path) = summary {
        let append = || -> std::io::Result<()> {
            let mut file = File::options().create(true).append(true).open(path)?;
            file.write_all(markdown::write(report, view).as_bytes())
        };
        append().with_context(|| format!("cannot write the job summary {}", path.display()))?;
        written.push("the job summary");
    }
    Ok(written)
}

fn to_gitlab(report: &Report, project: Option<&Path>) -> anyhow::Result<Vec<&'static str>> {
    let path = project.unwrap_or(Path::new("")).join(CODE_QUALITY);
    let file = path.display();
    let old = match fs::read_to_string(&path) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => String::from("[]"),
        read => read.with_context(|| format!("cannot read {file}"))?,
    };
    let new = gitlab::write(report, &view(project));
    let both = merged(&old, &new).with_context(|| format!("{file} is left as it is"))?;
    fs::write(&path, both).with_context(|| format!("cannot write {file}"))?;
    Ok(vec![CODE_QUALITY])
}

/// A job has one such report: what other tools, or an earlier command of the job, wrote stays.
fn merged(old: &str, new: &str) -> anyhow::Result<String> {
    let issues = |text: &str| match serde_json::from_str(text) {
        Ok(Value::Array(issues)) => Ok(issues),
        _ => Err(anyhow!("it is no code quality report")),
    };
    let (old, mut all) = (issues(old)?, issues(new)?);
    let is_new = |issue: &Value| all.iter().all(|it| it["fingerprint"] != issue["fingerprint"]);
    let kept: Vec<Value> = old.into_iter().filter(is_new).collect();
    all.splice(0..0, kept);
    Ok(serde_json::to_string_pretty(&all)? + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_known_by_its_variables() {
        let check = |variables: &[(&str, &str)], expected: Option<CiJob>| {
            let value = |name: &str| {
                let found = variables.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(CiJob::from_variables(value), expected, "{variables:?}");
        };
        check(&[], None);
        check(&[("CI", "true")], None);
        check(&[("GITHUB_ACTIONS", "false"), ("GITHUB_STEP_SUMMARY", "/s")], None);
        let summary = Some("/s".into());
        check(
            &[("GITHUB_ACTIONS", "true"), ("GITHUB_STEP_SUMMARY", "/s")],
            Some(CiJob::GitHub { workspace: None, summary }),
        );
        check(
            &[("GITLAB_CI", "true"), ("CI_PROJECT_DIR", "/p")],
            Some(CiJob::GitLab { project: Some("/p".into()) }),
        );
        check(
            &[("GITLAB_CI", "true"), ("CI_PROJECT_DIR", "")],
            Some(CiJob::GitLab { project: None }),
        );
    }

    /// A lint's report of the same job would have been lost.
    #[test]
    fn what_others_wrote_stays() -> anyhow::Result<()> {
        let check = |old: &str, new: &str, expected: &[&str]| -> anyhow::Result<()> {
            let both: Vec<Value> = serde_json::from_str(&merged(old, new)?)?;
            let fingerprints: Vec<_> =
                both.iter().filter_map(|issue| issue["fingerprint"].as_str()).collect();
            assert_eq!(fingerprints, expected);
            Ok(())
        };
        let (a, b) = (r#"{"fingerprint":"a"}"#, r#"{"fingerprint":"b"}"#);
        check("[]", &format!("[{a}]"), &["a"])?;
        check(&format!("[{a},{b}]"), &format!("[{a}]"), &["b", "a"])?;
        assert!(merged("{}", "[]").is_err() && merged("", "[]").is_err());
        Ok(())
    }
}
