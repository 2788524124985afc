//! Outside tools: found, or fetched without asking, or named with the way to get them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};

use crate::program::{cargo, output, program, root, run, target_dir};

/// Makes sure that `name` can be run, installing Debian's `package` if it cannot.
///
/// # Errors
///
/// If it is missing and cannot be installed; the error says how to get it.
pub fn need(name: &str, package: &str) -> Result<()> {
    install_unless(|| is_there(name), name, package)
}

/// Makes sure that the file `path` exists, installing Debian's `package` if it does not.
///
/// # Errors
///
/// If it is missing and cannot be installed; the error says how to get it.
pub fn need_file(path: &str, package: &str) -> Result<()> {
    install_unless(|| Path::new(path).exists(), path, package)
}

fn install_unless(is_there: impl Fn() -> bool, what: &str, package: &str) -> Result<()> {
    if is_there() {
        return Ok(());
    }
    let how =
        format!("`{what}` is missing: install it (Debian, Ubuntu: apt-get install {package})");
    update_lists().with_context(|| how.clone())?;
    let install = ["install", "-y", "--no-install-recommends", package];
    run(&mut apt(&install)).with_context(|| how.clone())?;
    if is_there() { Ok(()) } else { bail!(how) }
}

/// A program that PyPI's `package` brings, in a folder of its own, so that its version is the one
/// that was asked for.
///
/// # Errors
///
/// If it is missing and cannot be installed; the error says how to get it.
pub fn need_python(name: &str, package: &str) -> Result<PathBuf> {
    let how = || format!("`{name}` is missing: install it (pip install {package})");
    let place = target_dir("python-tools");
    let installed = place.join("bin").join(name);
    if !installed.exists() {
        let place = place.display().to_string();
        run(&mut program("python3", &["-m", "venv", &place])).with_context(how)?;
        let pip = format!("{place}/bin/pip");
        run(&mut program(&pip, &["install", "--quiet", package])).with_context(how)?;
    }
    Ok(installed)
}

/// A file of the source that PyPI has of `package`: for what its wheel leaves out.
///
/// # Errors
///
/// If the source cannot be fetched, or has no such file.
pub fn need_python_source(package: &str, file: &str) -> Result<PathBuf> {
    let how = || format!("`{file}` is missing: it is in the source of {package} (pip download)");
    let pip = need_python("pip", "pip")?;
    let place = target_dir("python-sources");
    let name = package.replace("==", "-");
    let path = place.join(&name).join(file);
    if !path.exists() {
        let source =
            ["download", "--quiet", "--no-deps", "--no-binary", ":all:", package, "--dest"];
        run(Command::new(pip).args(source).arg(&place)).with_context(how)?;
        let archive = place.join(format!("{name}.tar.gz")).display().to_string();
        let inside = format!("{name}/{file}");
        run(program("tar", &["-xzf", &archive, &inside]).current_dir(&place)).with_context(how)?;
    }
    Ok(path)
}

/// A copy of the folder `ci/NAME`, with the packages of npm that its `package.json` asks for.
///
/// # Errors
///
/// If it cannot be copied, or the packages cannot be installed.
pub fn need_node(name: &str) -> Result<PathBuf> {
    need("node", "nodejs")?;
    let (from, place) = (root().join("ci").join(name), target_dir(name));
    fs::create_dir_all(&place).with_context(|| place.display().to_string())?;
    for entry in fs::read_dir(&from).with_context(|| from.display().to_string())? {
        let file = entry?.path();
        let copy = place.join(file.file_name().unwrap_or_default());
        fs::copy(&file, copy).with_context(|| format!("cannot copy {}", file.display()))?;
    }
    npm_install(&place)?;
    Ok(place)
}

/// Installs the packages that the `package.json` in a folder names; no script of theirs is run.
///
/// # Errors
///
/// If npm is missing, or the packages cannot be installed.
pub fn npm_install(place: &Path) -> Result<()> {
    need("npm", "npm")?;
    let install = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"];
    run(program("npm", &install).current_dir(place))
}

/// Makes sure that a nightly toolchain with these components is installed.
///
/// # Errors
///
/// If there is no rustup, or it cannot install them.
pub fn need_nightly(components: &[&str]) -> Result<()> {
    let how = "this check needs rustup and its nightly toolchain (https://rustup.rs)";
    let installed = output(&mut program("rustup", &["toolchain", "list"])).context(how)?;
    if !installed.lines().any(|line| line.starts_with("nightly")) {
        let install = ["toolchain", "install", "nightly", "--profile", "minimal"];
        run(&mut program("rustup", &install)).context(how)?;
    }
    if components.is_empty() {
        return Ok(());
    }
    let add = ["component", "add", "--toolchain", "nightly"];
    run(program("rustup", &add).args(components)).context(how)
}

/// Makes sure that the standard library for `target` is installed.
///
/// # Errors
///
/// If there is no rustup, or it does not know the target.
pub fn need_target(target: &str) -> Result<()> {
    let how = "this check needs rustup (https://rustup.rs) and the target's standard library";
    run(&mut program("rustup", &["target", "add", target])).context(how)
}

/// Whether `cargo NAME` is a command here.
pub fn has_cargo_command(name: &str) -> bool {
    cargo(&[name, "--version"]).output().is_ok_and(|output| output.status.success())
}

/// Makes sure that `cargo NAME` is a command here.
///
/// # Errors
///
/// If it is not; the error says how to get it.
pub fn need_cargo_command(name: &str) -> Result<()> {
    match has_cargo_command(name) {
        true => Ok(()),
        false => {
            bail!("`cargo {name}` is missing: install it (cargo install --locked cargo-{name})")
        }
    }
}

/// Cargo of the nightly toolchain.
pub fn nightly_cargo(args: &[&str]) -> Command {
    let mut command = program("rustup", &["run", "nightly", "cargo"]);
    command.args(args);
    command
}

/// The host's target triple: sanitizers want it spelt out, lest they instrument build scripts.
///
/// # Errors
///
/// If `rustc` cannot be asked.
pub fn host() -> Result<String> {
    let version = output(&mut program("rustc", &["-vV"]))?;
    let line = version.lines().find_map(|line| line.strip_prefix("host: "));
    line.map(str::to_owned).context("`rustc -vV` names no host")
}

fn is_there(name: &str) -> bool {
    let probe = Command::new(name)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    probe.is_ok()
}

fn update_lists() -> Result<()> {
    static DONE: OnceLock<()> = OnceLock::new();
    if DONE.get().is_none() {
        run(&mut apt(&["update", "-qq"]))?;
        DONE.get_or_init(|| ());
    }
    Ok(())
}

fn apt(args: &[&str]) -> Command {
    let is_root = std::env::var("USER").is_ok_and(|user| user == "root")
        || output(&mut program("id", &["-u"])).is_ok_and(|id| id.trim() == "0");
    let mut command = if is_root {
        program("apt-get", args)
    } else {
        let mut sudo = program("sudo", &["-n", "apt-get"]);
        sudo.args(args);
        sudo
    };
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}
