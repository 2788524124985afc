//! One variant of a case: a package of its own, because two versions of one crate that call
//! themselves compatible cannot stand in one lock file.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::leaks::corpus::Case;
use ci::program::{cargo, output, root, target_dir, write_if_changed};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Leaky,
    Fixed,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Leaky => "leaky",
            Self::Fixed => "fixed",
        }
    }
}

pub(crate) struct Variant<'a> {
    pub(crate) case: &'a Case,
    pub(crate) kind: Kind,
}

impl Variant<'_> {
    /// The driver's crate, as it stands in symbol names.
    pub(crate) fn crate_name(&self) -> String {
        self.name().replace('-', "_")
    }

    /// Builds the variant, runs it, and says where its recording is.
    pub(crate) fn record(&self) -> Result<PathBuf> {
        let program = self.build()?;
        let recording = target_dir("leaks").join(format!("recordings/{}.jsonl", self.name()));
        if let Some(directory) = recording.parent() {
            fs::create_dir_all(directory)?;
        }
        if recording.exists() {
            fs::remove_file(&recording)?;
        }
        output(Command::new(program).arg(&recording))?;
        Ok(recording)
    }

    fn name(&self) -> String {
        format!("{}-{}", self.case.name, self.kind.name())
    }

    fn build(&self) -> Result<PathBuf> {
        let package = target_dir("leaks").join(self.name());
        fs::create_dir_all(&package)?;
        let manifest = package.join("Cargo.toml");
        write_if_changed(&manifest, self.manifest().as_bytes())?;
        let build = target_dir("leaks").join("build");
        let mut cargo = cargo(&["build", "--quiet", "--manifest-path"]);
        output(cargo.arg(&manifest).env("CARGO_TARGET_DIR", &build))?;
        Ok(build.join("debug").join(self.name()))
    }

    fn manifest(&self) -> String {
        let dependencies = match self.kind {
            Kind::Leaky => &self.case.leaky,
            Kind::Fixed => &self.case.fixed,
        };
        let dependencies: String =
            dependencies.iter().map(|(name, wanted)| format!("{name} = {wanted}\n")).collect();
        let driver = root()
            .join(format!("crates/heaptide-eval/leaks/{}.rs", self.case.name.replace('-', "_")));
        let features = match self.kind {
            Kind::Leaky => "default = [\"leaky\"]\nleaky = []",
            Kind::Fixed => "leaky = []",
        };
        format!(
            "[workspace]\n\n[package]\nname = {name:?}\nedition = \"2024\"\n\n\
             [[bin]]\nname = {name:?}\npath = {driver:?}\n\n\
             [features]\n{features}\n\n\
             [profile.dev]\nopt-level = 1\ndebug = \"limited\"\nincremental = false\n\n\
             [dependencies]\nheaptide.path = {heaptide:?}\n{dependencies}",
            name = self.name(),
            heaptide = root().join("crates/heaptide"),
        )
    }
}
