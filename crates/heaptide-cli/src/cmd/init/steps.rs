//! The steps of the gate, for this project: install, build, run under load; or the growth tests.

use std::path::{Path, PathBuf};

use super::project::{Ci, Program, Project, Watched};
use crate::source::Source;

/// Where the load script stands, below the root.
pub(super) const LOAD: &str = "ci/heaptide-load.sh";
/// As the workflow builds: with lines and function names, which the code does not depend on.
const NAMED: &str = "CARGO_PROFILE_RELEASE_DEBUG=limited CARGO_PROFILE_RELEASE_STRIP=none";
/// Programs that end by themselves do so soon: with the interval that a minute asks for, a second of
/// work has no snapshot.
const SHORT_INTERVAL: &str = "50ms";
/// Where a service is asked until the user says otherwise.
const ADDRESS: &str = "http://127.0.0.1:8080/";

/// The growth tests, below the library's manifest.
pub(super) const TESTS: &str = "tests/growth.rs";

/// What the gate does.
#[derive(Debug)]
enum Steps {
    /// It builds a program and runs it.
    Run {
        build: String,
        run: Vec<String>,
    },
    Test(String),
}

impl Steps {
    fn of(project: &Project, feature: Option<&str>, target_dir: &Path) -> Self {
        let package = &project.package;
        match &project.watched {
            Watched::Program(program) => {
                Self::Run { build: build(project, program, feature), run: run(program, target_dir) }
            }
            Watched::Library(_) => Self::Test(format!("cargo test -p {package} --test growth")),
        }
    }
}

fn build(project: &Project, program: &Program, feature: Option<&str>) -> String {
    let package = &project.package;
    // An older resolver takes a bare feature for one of the package in whose directory it is, and
    // `PACKAGE/FEATURE` for one of another.
    let is_at_root = project.manifest.parent() == Some(&project.root);
    let of = if is_at_root { String::new() } else { format!("{package}/") };
    let feature = feature.map(|it| format!(" --features {of}{it}")).unwrap_or_default();
    format!("cargo build --release -p {package} --bin {}{feature}", program.name)
}

/// `heaptide run` with its options, one word group an element.
fn run(program: &Program, target_dir: &Path) -> Vec<String> {
    let mut words = vec!["heaptide run".to_owned(), "--out target/heaptide".to_owned()];
    match program.serves {
        true => {
            words.push(format!("--ready {ADDRESS}"));
            words.push(format!("--load './{LOAD} {ADDRESS}'"));
        }
        false => words.push(format!("--interval {SHORT_INTERVAL} --for 60s")),
    }
    let here = if target_dir.is_relative() { "./" } else { "" };
    let path = format!("{here}{}/release/{}", target_dir.display(), program.name);
    let command = std::iter::once(&path).chain(&program.args).map(String::as_str);
    words.push(format!("-- {}", shlex::try_join(command).expect("no argument has a NUL")));
    words
}

/// The commands of the workflow, to be tried on this machine.
pub(super) fn here(project: &Project, feature: Option<&str>) -> Vec<String> {
    let chosen = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target_dir = chosen.as_ref().unwrap_or(&project.target_dir);
    match Steps::of(project, feature, target_dir) {
        Steps::Run { build, run } => vec![format!("{NAMED} {build}"), run.join(" ")],
        Steps::Test(test) => vec![test],
    }
}

/// The workflow's path below the root, and its text.
pub(super) fn workflow(
    project: &Project,
    source: &Source,
    feature: Option<&str>,
) -> (&'static str, String) {
    let (path, indent) = match project.ci {
        Ci::GitHub => (".github/workflows/heaptide.yml", "\n          "),
        Ci::GitLab => (".gitlab/heaptide.yml", "\n      "),
    };
    let text = match Steps::of(project, feature, &project.target_dir) {
        Steps::Run { build, run } => {
            let text = match project.ci {
                Ci::GitHub => include_str!("github.yml"),
                Ci::GitLab => include_str!("gitlab.yml"),
            };
            let text = text.replace("@INSTALL@", &source.install()).replace("@BUILD@", &build);
            text.replace("@RUN@", &run.join(indent))
        }
        Steps::Test(test) => {
            let text = match project.ci {
                Ci::GitHub => include_str!("github-growth.yml"),
                Ci::GitLab => include_str!("gitlab-growth.yml"),
            };
            let target_dir = project.target_dir.display().to_string();
            text.replace("@TEST@", &test).replace("@TARGET@", &target_dir)
        }
    };
    (path, text)
}
