//! The steps of the gate, for this project: install, build, run under load.

use super::project::{Ci, Project};
use crate::source::Source;

/// Where the load script stands, below the root.
pub(super) const LOAD: &str = "ci/heaptide-load.sh";
/// Where a service is asked until the user says otherwise.
const ADDRESS: &str = "http://127.0.0.1:8080/";

pub(super) fn build(project: &Project, feature: Option<&str>) -> String {
    let feature = feature.map(|of| format!(" --features {of}")).unwrap_or_default();
    format!("cargo build --release -p {} --bin {}{feature}", project.package, project.program)
}

/// `heaptide run` with its options, one word group an element.
pub(super) fn run(project: &Project) -> Vec<String> {
    let mut words = vec!["heaptide run".to_owned(), "--out target/heaptide".to_owned()];
    match project.serves {
        true => {
            words.push(format!("--ready {ADDRESS}"));
            words.push(format!("--load './{LOAD} {ADDRESS}'"));
        }
        false => words.push("--for 60s".to_owned()),
    }
    words.push(format!("-- ./target/release/{}", project.program));
    words
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
    (path, text.replace("@RUN@", &run(project).join(indent)))
}
