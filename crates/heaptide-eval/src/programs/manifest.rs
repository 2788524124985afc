//! The list of programs, `crates/heaptide-eval/programs/programs.toml`.

use std::fs;

use anyhow::{Context, Result};
use serde::Deserialize;

use ci::program::root;

/// A package of somebody else, and what is done with it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Program {
    /// The package's name.
    pub(crate) name: String,
    /// The exact version that is tried.
    pub(crate) version: String,
    /// The program that `commands` run.
    pub(crate) binary: Option<String>,
    /// Source files that get the allocator: the root of the program, or of its tests.
    pub(crate) allocator_in: Vec<String>,
    #[serde(default)]
    pub(crate) order: Order,
    /// A word in lines that tell the time.
    pub(crate) clock: Option<String>,
    /// Files below the tree that each command finds a copy of.
    #[serde(default)]
    pub(crate) files: Vec<String>,
    #[serde(default)]
    pub(crate) commands: Vec<String>,
    /// Test targets of the package.
    #[serde(default)]
    pub(crate) tests: Vec<String>,
}

/// In what order a program writes its lines.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Order {
    #[default]
    Same,
    Any,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Programs {
    program: Vec<Program>,
}

/// All of them.
pub(crate) fn programs() -> Result<Vec<Program>> {
    let path = root().join("crates/heaptide-eval/programs/programs.toml");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let list: Programs = toml::from_str(&text).with_context(|| path.display().to_string())?;
    Ok(list.program)
}
