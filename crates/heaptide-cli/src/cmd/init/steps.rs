//! The steps of the gate, for this project: install, build, run under load.

use std::path::{Path, PathBuf};

use super::project::{Ci, Project};
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

fn build(project: &Project, feature: Option<&str>) -> String {
    let Project { package, program, .. } = project;
    // Of its package, by name: an older resolver takes a bare feature for one of the root package.
    let feature = feature.map(|of| format!(" --features {package}/{of}")).unwrap_or_default();
    format!("cargo build --release -p {package} --bin {program}{feature}")
}

/// `heaptide run` with its options, one word group an element.
fn run(project: &Project, target_dir: &Path) -> Vec<String> {
    let mut words = vec!["heaptide run".to_owned(), "--out target/heaptide".to_owned()];
    match project.serves {
        true => {
            words.push(format!("--ready {ADDRESS}"));
            words.push(format!("--load './{LOAD} {ADDRESS}'"));
        }
        false => words.push(format!("--interval {SHORT_INTERVAL} --for 60s")),
    }
    let here = if target_dir.is_relative() { "./" } else { "" };
    let program = format!("{here}{}/release/{}", target_dir.display(), project.program);
    let command = std::iter::once(&program).chain(&project.args).map(String::as_str);
    words.push(format!("-- {}", shlex::try_join(command).expect("no argument has a NUL")));
    words
}

/// The commands of the workflow, to be tried on this machine.
pub(super) fn here(project: &Project, feature: Option<&str>) -> [String; 2] {
    let chosen = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target_dir = chosen.as_ref().unwrap_or(&project.target_dir);
    [format!("{NAMED} {}", build(project, feature)), run(project, target_dir).join(" ")]
}

/// The workflow's path below the root, and its text.
pub(super) fn workflow(
    project: &Project,
    source: &Source,
    feature: Option<&str>,
) -> (&'static str, String) {
    let (path, text, indent) = match project.ci {
        Ci::GitHub => {
            (".github/workflows/heaptide.yml", include_str!("github.yml"), "\n          ")
        }
        Ci::GitLab => (".gitlab/heaptide.yml", include_str!("gitlab.yml"), "\n      "),
    };
    let text = text.replace("@INSTALL@", &source.install());
    let text = text.replace("@BUILD@", &build(project, feature));
    (path, text.replace("@RUN@", &run(project, &project.target_dir).join(indent)))
}
