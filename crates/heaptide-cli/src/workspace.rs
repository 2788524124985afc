//! The Cargo workspace in whose directory we are: whose code is the user's own, and what programs
//! there are.
//!
//! Whose code it is, source files tell where they are known; this is for recordings without them, and
//! for crates of the workspace that are built from elsewhere.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use heaptide_analyze::identity::WorkspaceCrates;
use serde::Deserialize;

/// The shim's frames stand between the program and the allocator, in our own house too.
const SHIM_CRATE: &str = "heaptide";

/// What Cargo says of a workspace, as far as we ask.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    /// Packages that are built where no package is named, by their id.
    pub(crate) workspace_default_members: Vec<String>,
    pub(crate) workspace_root: PathBuf,
    /// Where the project has what it builds, whatever the environment says.
    pub(crate) target_directory: PathBuf,
}

/// A package of the workspace.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) manifest_path: PathBuf,
    pub(crate) default_run: Option<String>,
    pub(crate) targets: Vec<Target>,
    pub(crate) dependencies: Vec<Dependency>,
}

/// A library, a program, a test, …
#[derive(Debug, Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: Vec<String>,
    pub(crate) src_path: PathBuf,
}

/// What a package uses.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
}

/// All libraries and programs of the workspace around `dir`; none where there is no `Cargo.toml`.
///
/// # Errors
/// There is one, but Cargo cannot be asked or cannot read it.
pub(crate) fn crates(dir: &Path) -> anyhow::Result<WorkspaceCrates> {
    if !dir.ancestors().any(|dir| dir.join("Cargo.toml").is_file()) {
        return Ok(WorkspaceCrates::new());
    }
    let metadata = metadata(dir)?;
    let targets = metadata.packages.into_iter().flat_map(|package| package.targets);
    let names = targets.map(|target| target.name.replace('-', "_"));
    Ok(names.filter(|name| name != SHIM_CRATE).collect())
}

/// Asks Cargo about the workspace around `dir`.
///
/// # Errors
/// Cargo cannot be asked or cannot read the workspace.
pub(crate) fn metadata(dir: &Path) -> anyhow::Result<Metadata> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .current_dir(dir)
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("CARGO_BUILD_TARGET_DIR")
        .stdin(Stdio::null())
        .output()
        .context("cannot run `cargo metadata`")?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        bail!("{}", text.lines().next().unwrap_or("`cargo metadata` failed").to_owned());
    }
    serde_json::from_slice(&output.stdout).context("cannot read what Cargo says")
}
