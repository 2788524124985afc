//! Whose code is the user's own: the crates of the Cargo workspace in whose directory we are.
//!
//! Where source files are known they tell; this is for recordings without them, and for crates of
//! the workspace that are built from elsewhere.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use heaptide_analyze::identity::WorkspaceCrates;
use serde::Deserialize;

/// The shim's frames stand between the program and the allocator, in our own house too.
const SHIM_CRATE: &str = "heaptide";

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// All libraries and programs of the workspace around `dir`; none where there is no `Cargo.toml`.
///
/// # Errors
/// There is one, but Cargo cannot be asked or cannot read it.
pub(crate) fn crates(dir: &Path) -> anyhow::Result<WorkspaceCrates> {
    if !dir.ancestors().any(|dir| dir.join("Cargo.toml").is_file()) {
        return Ok(WorkspaceCrates::new());
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .context("cannot run `cargo metadata`")?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        bail!("{}", text.lines().next().unwrap_or("`cargo metadata` failed").to_owned());
    }
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).context("cannot read what Cargo says")?;
    let targets = metadata.packages.into_iter().flat_map(|package| package.targets);
    let names = targets.map(|target| target.name.replace('-', "_"));
    Ok(names.filter(|name| name != SHIM_CRATE).collect())
}
