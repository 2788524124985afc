//! Stacks with names.

use heaptide_format::ModuleOffset;
use serde::{Deserialize, Serialize};

use super::function::{crate_of, plain};
use super::{Origin, WorkspaceCrates};

/// A call stack with names, innermost frame first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stack {
    /// Frames; inlined functions are frames of their own.
    pub frames: Vec<NamedFrame>,
    /// The stack went on, but could not be followed.
    pub truncated: bool,
}

/// One function of a stack.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NamedFrame {
    /// Demangled path without hash; `module+0xoffset` where no name is known.
    pub function: String,
    /// Source file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Whether it was inlined into the frame after it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inlined: bool,
    /// Whose code it is.
    #[serde(default)]
    pub origin: Origin,
    /// File name of the module; `?` outside any.
    pub module: String,
    /// Return address in the module.
    pub offset: ModuleOffset,
}

impl NamedFrame {
    /// A frame of which only the address is known.
    pub fn unnamed(module: String, offset: ModuleOffset) -> Self {
        let function = format!("{module}+{offset}");
        Self { function, module, offset, ..Self::default() }
    }

    /// `file:line`, as far as they are known.
    pub fn place(&self) -> Option<String> {
        let file = self.file.as_deref()?;
        Some(match self.line {
            Some(line) => format!("{file}:{line}"),
            None => file.to_owned(),
        })
    }

    /// Its file relative to the crate: the same wherever it was checked out.
    pub fn crate_relative_file(&self) -> Option<String> {
        self.file.as_deref().map(|file| crate_relative(file).to_owned())
    }

    /// The crate that the function belongs to, as its name shows it.
    pub fn crate_name(&self) -> Option<String> {
        crate_of(&plain(&self.function)).map(str::to_owned)
    }

    /// The package it comes from, or else the crate that its name shows.
    pub fn package(&self) -> Option<String> {
        match &self.origin {
            Origin::Dependency(package) => Some(package.clone()),
            Origin::Workspace | Origin::Std | Origin::Unknown => self.crate_name(),
        }
    }

    /// Whether the frame is the user's own code.
    pub(super) fn is_own(&self, workspace: &WorkspaceCrates) -> bool {
        self.origin == Origin::Workspace
            || !workspace.is_empty()
                && self.crate_name().is_some_and(|name| workspace.contains(&name))
    }

    /// What of the frame goes into an identity.
    pub(super) fn part(&self) -> String {
        let function = plain(&self.function);
        match self.file.as_deref().map(crate_relative) {
            Some(file) => format!("{function} {file}"),
            None => function,
        }
    }
}

impl Stack {
    /// Marks frames of these crates as the user's own, wherever their source lies.
    pub fn claim(&mut self, workspace: &WorkspaceCrates) {
        for frame in self.frames.iter_mut().filter(|frame| frame.is_own(workspace)) {
            frame.origin = Origin::Workspace;
        }
    }

    /// The frames from the one that asked for memory outwards, without the library calls and
    /// allocator frames in between. All frames if there are no others.
    pub fn without_plumbing(&self) -> &[NamedFrame] {
        match &self.frames[self.n_plumbing(&WorkspaceCrates::new())..] {
            [] => &self.frames,
            frames => frames,
        }
    }

    pub(super) fn n_plumbing(&self, workspace: &WorkspaceCrates) -> usize {
        let is_plumbing =
            |frame: &&NamedFrame| frame.origin == Origin::Std && !frame.is_own(workspace);
        self.frames.iter().take_while(is_plumbing).count()
    }
}

/// `/home/me/shop/src/session.rs` is `src/session.rs`, wherever it was checked out.
fn crate_relative(file: &str) -> &str {
    let roots = ["/src/", "/tests/", "/examples/", "/benches/"];
    match roots.iter().filter_map(|root| file.rfind(root)).max() {
        Some(at) => &file[at + 1..],
        None if roots.iter().any(|root| file.starts_with(&root[1..])) => file,
        None => file.rsplit('/').next().unwrap_or(file),
    }
}
