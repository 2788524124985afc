//! Stacks with names.
//!
//! Thousands of stacks go through the same few addresses. So a frame is made once for each address,
//! with what identities need of it worked out, and all stacks share it.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use heaptide_format::ModuleOffset;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::function::{crate_of, plain};
use super::origin::{Origin, WorkspaceCrates};

/// A call stack with names, innermost frame first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stack {
    /// Frames; inlined functions are frames of their own.
    pub frames: Vec<SharedFrame>,
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
    /// Whether debug information has only the last name of the function, and its file told the rest.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub told_by_file: bool,
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
    pub(crate) fn unnamed(module: String, offset: ModuleOffset) -> Self {
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
    pub(crate) fn crate_relative_file(&self) -> Option<String> {
        self.file.as_deref().map(|file| crate_relative(file).to_owned())
    }

    /// Whether it is a closure or a future of which its file told the module, and nothing the function.
    pub fn is_of_unknown_function(&self) -> bool {
        let file = self.file.as_deref().unwrap_or_default();
        let stem = file.trim_end_matches("/mod.rs").trim_end_matches(".rs").rsplit('/').next();
        let whole = plain(&self.function);
        let is_module = whole.rsplit_once("::").is_none_or(|(_, last)| Some(last) == stem);
        self.told_by_file && self.function.ends_with('}') && is_module
    }

    /// The crate that the function belongs to, as its name shows it.
    pub fn crate_name(&self) -> Option<String> {
        crate_of(&plain(&self.function)).map(str::to_owned)
    }

    /// Its function and file, by which functions are told apart; `None` if the function is unknown.
    pub(crate) fn function_in_file(&self) -> Option<(&str, Option<&str>)> {
        (!self.function.is_empty()).then_some((self.function.as_str(), self.file.as_deref()))
    }

    /// The same, but the user's own if its crate is one of these, wherever its source lies.
    pub fn claimed_by(mut self, workspace: &WorkspaceCrates) -> Self {
        let is_claimed = |name: String| workspace.contains(&name);
        if !workspace.is_empty() && self.crate_name().is_some_and(is_claimed) {
            self.origin = Origin::Workspace;
        }
        self
    }
}

/// A [`NamedFrame`] that many stacks share.
#[derive(Clone, Default)]
pub struct SharedFrame(Arc<Shared>);

#[derive(Default)]
struct Shared {
    frame: NamedFrame,
    plain: String,
    part: String,
    package: Option<String>,
}

impl SharedFrame {
    /// The function's plain name: see [`plain`].
    pub fn plain(&self) -> &str {
        &self.0.plain
    }

    /// What of the frame goes into an identity.
    pub(super) fn part(&self) -> &str {
        &self.0.part
    }

    /// The package it comes from, or else the crate that its name shows.
    pub fn package(&self) -> Option<&str> {
        self.0.package.as_deref()
    }

    /// Whether the frame is a dependency's.
    pub fn is_theirs(&self) -> bool {
        matches!(self.origin, Origin::Dependency(_))
    }

    /// Whether it copies a value: a `Clone::clone`, of which debug information may have only the
    /// last name.
    pub(super) fn is_clone(&self) -> bool {
        self.plain().ends_with(" as core::clone::Clone>::clone")
            || self.told_by_file && self.plain().ends_with("::clone")
    }

    /// Whether the frame is the user's own code.
    pub fn is_own(&self) -> bool {
        self.origin == Origin::Workspace
    }
}

impl From<NamedFrame> for SharedFrame {
    fn from(frame: NamedFrame) -> Self {
        let plain = plain(&frame.function);
        let package = match &frame.origin {
            Origin::Dependency(package) => Some(package.clone()),
            Origin::Workspace | Origin::Std | Origin::Unknown => {
                crate_of(&plain).map(str::to_owned)
            }
        };
        let part = match frame.file.as_deref().map(crate_relative) {
            Some(file) => format!("{plain} {file}"),
            None => plain.clone(),
        };
        Self(Arc::new(Shared { frame, plain, part, package }))
    }
}

impl Deref for SharedFrame {
    type Target = NamedFrame;

    fn deref(&self) -> &NamedFrame {
        &self.0.frame
    }
}

impl PartialEq for SharedFrame {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.frame == other.0.frame
    }
}

impl Eq for SharedFrame {}

impl fmt::Debug for SharedFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.frame.fmt(f)
    }
}

impl Serialize for SharedFrame {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.frame.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SharedFrame {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        NamedFrame::deserialize(deserializer).map(Self::from)
    }
}

impl Stack {
    pub(super) fn n_plumbing(&self) -> usize {
        self.frames.iter().take_while(|frame| frame.origin == Origin::Std).count()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closure_of_which_only_the_module_is_known_says_so() {
        for (function, file, told_by_file, expected) in [
            ("shop::tasks::{async_fn#0}", "/w/shop/src/tasks.rs", true, true),
            ("shop::tasks::{async_fn#0}", "/w/shop/src/tasks/mod.rs", true, true),
            ("shop::{closure#3}", "/w/shop/src/main.rs", true, true),
            ("shop::tasks::save::{async_fn#0}", "/w/shop/src/tasks.rs", true, false),
            ("shop::tasks::{async_fn#0}", "/w/shop/src/tasks.rs", false, false),
            ("shop::tasks", "/w/shop/src/tasks.rs", true, false),
        ] {
            let (function, file) = (function.to_owned(), Some(file.to_owned()));
            let frame = NamedFrame { function, file, told_by_file, ..NamedFrame::default() };
            assert_eq!(frame.is_of_unknown_function(), expected, "{frame:?}");
        }
    }
}
