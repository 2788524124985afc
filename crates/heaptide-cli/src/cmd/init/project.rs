//! What there is: the program to watch, whether it serves, and which CI is in use.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::workspace::{self, Metadata, Package, Target};

/// Crates that serve requests: a program with one of them waits for load, others do their work and
/// end.
const SERVERS: [&str; 12] = [
    "actix-web",
    "axum",
    "hyper",
    "ntex",
    "poem",
    "rocket",
    "salvo",
    "tide",
    "tiny_http",
    "tonic",
    "trillium",
    "warp",
];

/// The program to watch, and what is around it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Project {
    /// Where `heaptide.toml` and the workflow belong.
    pub(super) root: PathBuf,
    /// The package of the program.
    pub(super) package: String,
    /// Its `Cargo.toml`.
    pub(super) manifest: PathBuf,
    /// The name of the program.
    pub(super) program: String,
    /// What it is called with.
    pub(super) args: Vec<String>,
    /// Its root module.
    pub(super) main: PathBuf,
    /// Where Cargo puts it, from the root: `target`, unless the project says otherwise.
    pub(super) target_dir: PathBuf,
    /// Programs that were not chosen.
    pub(super) others: Vec<String>,
    /// Whether it serves requests.
    pub(super) serves: bool,
    /// Which CI the workflow is for.
    pub(super) ci: Ci,
    /// How the project runs its tests.
    pub(super) has_nextest: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ci {
    GitHub,
    GitLab,
}

impl Project {
    /// Looks at the workspace around `dir`; `program` is the one to watch, if there are several.
    pub(super) fn around(
        dir: &Path,
        program: Option<&str>,
        args: &[String],
    ) -> anyhow::Result<Self> {
        Self::of(workspace::metadata(dir)?, program, args)
    }

    fn of(metadata: Metadata, program: Option<&str>, args: &[String]) -> anyhow::Result<Self> {
        let Metadata { packages, workspace_root: root, target_directory } = metadata;
        let all: Vec<(&Package, &Target)> = packages
            .iter()
            .flat_map(|package| package.targets.iter().map(move |target| (package, target)))
            .filter(|(_, target)| target.kind.iter().any(|kind| kind == "bin"))
            .collect();
        let is_default = |(package, target): &&(&Package, &Target)| {
            package.default_run.as_ref() == Some(&target.name)
        };
        let serves = |(package, target): &(&Package, &Target)| {
            package.dependencies.iter().any(|it| SERVERS.contains(&it.name.as_str()))
                || listens(&target.src_path)
        };
        let chosen = match program {
            Some(name) => {
                all.iter().find(|(_, target)| target.name == name).with_context(|| {
                    format!("no program is called `{name}`; there are {}", names(&all).join(", "))
                })?
            }
            None => {
                let serving = all.iter().find(|program| serves(program));
                let first = all.iter().find(is_default).or(serving).or(all.first());
                first.context(
                    "there is no program here, and a library is watched in one that uses it",
                )?
            }
        };
        let &(package, target) = chosen;
        let mut others = names(&all);
        others.retain(|name| *name != target.name);
        if !target.src_path.is_file() {
            bail!("{} is not there", target.src_path.display());
        }
        Ok(Self {
            package: package.name.clone(),
            manifest: package.manifest_path.clone(),
            program: target.name.clone(),
            args: args.to_vec(),
            main: target.src_path.clone(),
            target_dir: target_directory
                .strip_prefix(&root)
                .map_or_else(|_| target_directory.clone(), Path::to_path_buf),
            others,
            serves: serves(chosen),
            ci: ci_of(&root),
            has_nextest: root.join(".config/nextest.toml").is_file(),
            root,
        })
    }
}

/// Whether a program's root module opens a socket for others: a server without a framework.
fn listens(main: &Path) -> bool {
    let text = fs::read_to_string(main).unwrap_or_default();
    ["TcpListener", "UnixListener"].iter().any(|name| text.contains(name))
}

fn names(programs: &[(&Package, &Target)]) -> Vec<String> {
    programs.iter().map(|(_, target)| target.name.clone()).collect()
}

fn ci_of(root: &Path) -> Ci {
    match root.join(".gitlab-ci.yml").is_file() && !root.join(".github/workflows").is_dir() {
        true => Ci::GitLab,
        false => Ci::GitHub,
    }
}
