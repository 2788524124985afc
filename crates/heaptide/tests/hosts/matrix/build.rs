//! Builds everything that the matrix runs, with the cargo that built the matrix.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::column::{Build, Column};

/// Where the binaries of each build are, and what else was built.
#[derive(Debug)]
pub(crate) struct Built {
    target: PathBuf,
    profile: &'static str,
    /// The library with the shim in it, for programs that are not written in Rust.
    pub(crate) library: PathBuf,
    /// The C library that programs load, and the C program that is one.
    pub(crate) neighbour: PathBuf,
    pub(crate) signalled_threads: PathBuf,
}

impl Built {
    /// The binary that runs a column's programs.
    pub(crate) fn binary(&self, column: &Column) -> PathBuf {
        let folder = match column.build {
            Build::Native => self.target.clone(),
            build => self.target.join(folder_of(build)),
        };
        let folder = match triple_of(column.build) {
            Some(triple) => folder.join(triple),
            None => folder,
        };
        folder.join(self.profile).join(column.binary)
    }
}

/// As they are in services: without optimisation they need most of a small stack for themselves.
const C_ALLOCATORS: [&str; 2] = ["tikv-jemalloc-sys", "libmimalloc-sys"];

fn folder_of(build: Build) -> &'static str {
    match build {
        Build::Native => "",
        Build::Peers => "hosts-peers",
        Build::StaticGlibc => "hosts-static-glibc",
        Build::StaticMusl => "hosts-static-musl",
    }
}

/// The target of a build that is static: it must be named, lest build scripts become static too.
fn triple_of(build: Build) -> Option<String> {
    let libc = match build {
        Build::Native | Build::Peers => return None,
        Build::StaticGlibc => "gnu",
        Build::StaticMusl => "musl",
    };
    Some(format!("{}-unknown-linux-{libc}", std::env::consts::ARCH))
}

/// Builds what these columns need.
pub(crate) fn build(columns: &[&Column], is_release: bool) -> Result<Built, String> {
    let target = target_folder();
    let builds = [Build::Native, Build::Peers, Build::StaticGlibc, Build::StaticMusl];
    for build in builds {
        let binaries = columns.iter().filter(|column| column.build == build);
        let binaries: Vec<&Column> = binaries.copied().collect();
        if !binaries.is_empty() {
            build_one(build, &binaries, &target, is_release)?;
        }
    }
    let profile = if is_release { "release" } else { "debug" };
    let c = target.join("hosts-c");
    std::fs::create_dir_all(&c).map_err(|err| format!("{}: {err}", c.display()))?;
    let (neighbour, program) = (c.join("libneighbour.so"), c.join("signalled_threads"));
    compile("neighbour.c", &["-shared", "-fPIC"], &neighbour)?;
    compile("signalled_threads.c", &["-pthread"], &program)?;
    Ok(Built {
        library: target.join(profile).join("examples/libhost_library.so"),
        target,
        profile,
        neighbour,
        signalled_threads: program,
    })
}

fn target_folder() -> PathBuf {
    let named = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    named.unwrap_or_else(|| here().join("../../../../target"))
}

/// The folder of this package.
fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn build_one(
    build: Build,
    columns: &[&Column],
    target: &Path,
    is_release: bool,
) -> Result<(), String> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--locked", "--package", "heaptide-hosts"]);
    for allocator in C_ALLOCATORS {
        cargo.args(["--config", &format!("profile.dev.package.{allocator}.opt-level=3")]);
    }
    cargo.current_dir(here());
    if is_release {
        cargo.arg("--release");
    }
    for column in columns {
        cargo.args(["--bin", column.binary]);
        if let Some(feature) = column.feature {
            cargo.args(["--features", feature]);
        }
    }
    let folder = match build {
        Build::Native => target.to_owned(),
        build => target.join(folder_of(build)),
    };
    cargo.env("CARGO_TARGET_DIR", folder);
    if let Some(triple) = triple_of(build) {
        run(Command::new("rustup").args(["--quiet", "target", "add", &triple]))?;
        cargo.args(["--target", &triple]);
    }
    match build {
        Build::Native => cargo.args(["--example", "host_library"]),
        // A peer asks for a newer compiler than it needs.
        Build::Peers => {
            cargo.arg("--ignore-rust-version").env("RUSTFLAGS", "-C force-frame-pointers=yes")
        }
        Build::StaticGlibc => cargo.env("RUSTFLAGS", "-C target-feature=+crt-static"),
        Build::StaticMusl => &mut cargo,
    };
    run(&mut cargo)
}

fn compile(source: &str, flags: &[&str], to: &Path) -> Result<(), String> {
    let source = here().join("c").join(source);
    run(Command::new("cc")
        .args(["-O1", "-g"])
        .args(flags)
        .arg("-o")
        .arg(to)
        .arg(source)
        .arg("-ldl"))
}

fn run(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|err| format!("{command:?} does not start: {err}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}")) }
}
