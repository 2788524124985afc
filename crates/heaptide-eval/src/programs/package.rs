//! The packages: fetched by cargo, copied twice, built once as they are and once over the shim.
//!
//! What the shim's copy has more than the other is a dependency and two lines that name the
//! allocator. Both keep the lock file that their authors published.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::programs::manifest::Program;
use ci::program::{cargo, output, root, target_dir, write_if_changed};

const ALLOCATOR: &str = "\n#[global_allocator]\n\
                         static HEAP: heaptide::Heaptide = heaptide::Heaptide::new();\n";

/// One of the two copies.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Copy {
    Plain,
    Shim,
}

impl Copy {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Shim => "shim",
        }
    }
}

/// The sources of all programs and of all that they depend on, one folder for each package.
pub(crate) fn sources() -> PathBuf {
    target_dir("programs").join("sources")
}

/// Where one program is copied, built and run.
pub(crate) fn home(program: &Program) -> PathBuf {
    target_dir("programs").join(&program.name)
}

/// Fetches the sources, unless they are there.
pub(crate) fn fetch(programs: &[Program]) -> Result<()> {
    let package = target_dir("programs").join("fetch");
    fs::create_dir_all(&package)?;
    let manifest = package.join("Cargo.toml");
    let wanted: String =
        programs.iter().map(|it| format!("{} = \"={}\"\n", it.name, it.version)).collect();
    let text = format!(
        "[workspace]\n\n[package]\nname = \"fetch\"\nedition = \"2024\"\n\n\
         [lib]\npath = \"lib.rs\"\n\n[dependencies]\n{wanted}"
    );
    // Written last: it stands for a fetch that went well.
    let done = package.join("fetched.toml");
    if sources().exists() && fs::read_to_string(&done).is_ok_and(|old| old == text) {
        return Ok(());
    }
    fs::write(&manifest, &text)?;
    fs::write(package.join("lib.rs"), "")?;
    let mut vendor = cargo(&["vendor", "--quiet", "--manifest-path"]);
    output(vendor.arg(&manifest).arg(sources()))?;
    Ok(fs::write(done, text)?)
}

/// Builds a copy's program, and says where it is.
pub(crate) fn build(program: &Program, binary: &str, copy: Copy) -> Result<PathBuf> {
    let package = lay_out(program, copy)?;
    // Its warnings are its authors' business.
    let built = on_package("build", &package).args(["--bin", binary]).output()?;
    ensure!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let kept = home(program).join(format!("{}-program", copy.name())).join(binary);
    copy_file(&build_dir().join("debug").join(binary), &kept)?;
    Ok(kept)
}

/// The command that runs a copy's own tests.
pub(crate) fn tests(program: &Program, copy: Copy) -> Result<Command> {
    let mut command = on_package("test", &lay_out(program, copy)?);
    for test in &program.tests {
        command.args(["--test", test]);
    }
    Ok(command)
}

fn build_dir() -> PathBuf {
    target_dir("programs").join("build")
}

fn on_package(subcommand: &str, package: &Path) -> Command {
    let mut command = cargo(&[subcommand, "--quiet", "--manifest-path"]);
    command
        .arg(package.join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", build_dir())
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1")
        .env("CARGO_PROFILE_DEV_DEBUG", "limited");
    command
}

fn lay_out(program: &Program, copy: Copy) -> Result<PathBuf> {
    let package = home(program).join(copy.name());
    copy_folder(program, copy, &sources().join(&program.name), Path::new(""), &package)?;
    Ok(package)
}

/// Copies what stands at `below` in the package, and below that.
fn copy_folder(program: &Program, copy: Copy, from: &Path, below: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to.join(below))?;
    for entry in fs::read_dir(from.join(below))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(program, copy, from, &path, to)?;
            continue;
        }
        // Cargo adds the shim's packages to the lock file, once.
        if path == Path::new("Cargo.lock") && to.join(&path).exists() {
            continue;
        }
        let mut bytes = fs::read(entry.path())?;
        bytes.extend(addition(program, copy, &path).as_bytes());
        write_if_changed(&to.join(&path), &bytes)?;
    }
    Ok(())
}

/// What a copy's file has more than the original.
fn addition(program: &Program, copy: Copy, path: &Path) -> String {
    let gets_allocator = program.allocator_in.iter().any(|file| path == Path::new(file));
    match copy {
        Copy::Shim if gets_allocator => ALLOCATOR.into(),
        Copy::Shim if path == Path::new("Cargo.toml") => format!(
            "\n[dependencies.heaptide]\npath = {:?}\n\n[workspace]\n",
            root().join("crates/heaptide")
        ),
        Copy::Plain if path == Path::new("Cargo.toml") => "\n[workspace]\n".into(),
        _ => String::new(),
    }
}

fn copy_file(from: &Path, to: &Path) -> Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::copy(from, to).with_context(|| format!("{} to {}", from.display(), to.display()))?;
    Ok(())
}
