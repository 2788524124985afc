//! What there is: the program to watch, or the library to test, and which CI is in use.

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

/// What the gate is for, and what is around it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Project {
    /// Where `heaptide.toml` and the workflow belong.
    pub(super) root: PathBuf,
    /// The package of what is watched.
    pub(super) package: String,
    /// Its `Cargo.toml`.
    pub(super) manifest: PathBuf,
    pub(super) watched: Watched,
    /// Programs that were not chosen.
    pub(super) others: Vec<String>,
    /// Where Cargo puts what it builds, from the root: `target`, unless the project says otherwise.
    pub(super) target_dir: PathBuf,
    /// Which CI the workflow is for.
    pub(super) ci: Ci,
    /// How the project runs its tests.
    pub(super) has_nextest: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Watched {
    Program(Program),
    /// Where there is no program: its name in the code.
    Library(String),
}

/// The program to watch.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) name: String,
    /// What it is called with.
    pub(super) args: Vec<String>,
    /// Its root module.
    pub(super) main: PathBuf,
    /// Whether it serves requests.
    pub(super) serves: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ci {
    GitHub,
    GitLab,
}

/// A target, and the package that it is of.
type Of<'a> = (&'a Package, &'a Target);

impl Project {
    /// Looks at the workspace around `dir`; `program` is the one to watch, if there are several.
    pub(super) fn around(
        dir: &Path,
        program: Option<&str>,
        args: &[String],
    ) -> anyhow::Result<Self> {
        let metadata = workspace::metadata(dir)?;
        let here: Vec<&Package> = packages_of(dir, &metadata);
        let programs: Vec<Of> = of_kind(&metadata.packages, &["bin"]).collect();
        let (package, watched) = match program {
            Some(name) => {
                let named = programs.iter().find(|(_, target)| target.name == name);
                let chosen = named.with_context(|| match programs.as_slice() {
                    [] => format!("no program is called `{name}`; there is none"),
                    all => format!("no program is called `{name}`; there are {}", names(all)),
                })?;
                (chosen.0, Watched::program(*chosen, args)?)
            }
            None => {
                let programs_here: Vec<Of> = of_kind(here.iter().copied(), &["bin"]).collect();
                let library = of_kind(here.iter().copied(), &["lib", "rlib"]).next();
                match (first(&programs_here), library, first(&programs)) {
                    (Some(chosen), ..) | (None, None, Some(chosen)) => {
                        (chosen.0, Watched::program(chosen, args)?)
                    }
                    (None, Some((package, library)), _) if args.is_empty() => {
                        (package, Watched::Library(library.name.replace('-', "_")))
                    }
                    (None, Some((package, _)), _) => bail!(
                        "{} is a library, and a library is not called with arguments; --bin says \
                         which program is",
                        package.name
                    ),
                    (None, None, None) => bail!("there is no program here, and no library"),
                }
            }
        };
        let chosen = match &watched {
            Watched::Program(program) => Some(program.name.as_str()),
            Watched::Library(_) => None,
        };
        let others = programs.iter().map(|(_, target)| target.name.clone());
        let root = &metadata.workspace_root;
        let target_dir = &metadata.target_directory;
        Ok(Self {
            package: package.name.clone(),
            manifest: package.manifest_path.clone(),
            others: others.filter(|name| Some(name.as_str()) != chosen).collect(),
            watched,
            target_dir: target_dir.strip_prefix(root).unwrap_or(target_dir).to_path_buf(),
            ci: ci_of(root),
            has_nextest: root.join(".config/nextest.toml").is_file(),
            root: root.clone(),
        })
    }
}

impl Watched {
    fn program(chosen: Of, args: &[String]) -> anyhow::Result<Self> {
        let (_, target) = chosen;
        if !target.src_path.is_file() {
            bail!("{} is not there", target.src_path.display());
        }
        Ok(Self::Program(Program {
            name: target.name.clone(),
            args: args.to_vec(),
            main: target.src_path.clone(),
            serves: serves(&chosen),
        }))
    }
}

/// The packages that Cargo builds in `dir` where none is named.
fn packages_of<'a>(dir: &Path, metadata: &'a Metadata) -> Vec<&'a Package> {
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_path_buf());
    let manifest = dir.ancestors().map(|dir| dir.join("Cargo.toml")).find(|it| it.is_file());
    let is_its = |package: &&Package| Some(&package.manifest_path) == manifest.as_ref();
    match metadata.packages.iter().find(is_its) {
        Some(package) => vec![package],
        None => {
            let is_default =
                |package: &&Package| metadata.workspace_default_members.contains(&package.id);
            metadata.packages.iter().filter(is_default).collect()
        }
    }
}

fn of_kind<'a>(
    packages: impl IntoIterator<Item = &'a Package>,
    kinds: &[&str],
) -> impl Iterator<Item = Of<'a>> {
    let of = packages
        .into_iter()
        .flat_map(|package| package.targets.iter().map(move |target| (package, target)));
    of.filter(move |(_, target)| target.kind.iter().any(|kind| kinds.contains(&kind.as_str())))
}

/// The program that is run by default, or serves, or is the first.
fn first<'a>(programs: &[Of<'a>]) -> Option<Of<'a>> {
    let is_default = |(package, target): &&Of| package.default_run.as_ref() == Some(&target.name);
    let serving = || programs.iter().find(|program| serves(program));
    programs.iter().find(is_default).or_else(serving).or(programs.first()).copied()
}

fn serves((package, target): &Of) -> bool {
    package.dependencies.iter().any(|it| SERVERS.contains(&it.name.as_str()))
        || listens(&target.src_path)
}

/// Whether a program's root module opens a socket for others: a server without a framework.
fn listens(main: &Path) -> bool {
    let text = fs::read_to_string(main).unwrap_or_default();
    ["TcpListener", "UnixListener"].iter().any(|name| text.contains(name))
}

fn names(programs: &[Of]) -> String {
    let names: Vec<&str> = programs.iter().map(|(_, target)| target.name.as_str()).collect();
    names.join(", ")
}

fn ci_of(root: &Path) -> Ci {
    match root.join(".gitlab-ci.yml").is_file() && !root.join(".github/workflows").is_dir() {
        true => Ci::GitLab,
        false => Ci::GitHub,
    }
}
