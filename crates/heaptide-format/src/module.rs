//! Loaded modules, and the names of the addresses in them.

use serde::{Deserialize, Serialize};

use crate::ids::{ModuleId, ModuleOffset};

/// A loaded executable or shared object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// Referred to by frames.
    pub id: ModuleId,
    /// Path of its file; empty when the loader gave none.
    #[serde(default)]
    pub path: String,
    /// GNU build id in lower-case hex, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_id: Option<String>,
    /// Load bias: run-time address = bias + offset.
    #[serde(default)]
    pub bias: ModuleOffset,
}

/// Names of some offsets of one module, appended by whoever could resolve them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// The module they belong to.
    pub module: ModuleId,
    /// Resolved offsets.
    pub offsets: Vec<NamedOffset>,
}

/// One resolved return address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedOffset {
    /// The return address as it stands in the frame (the look-up itself is done one byte before).
    pub offset: ModuleOffset,
    /// Innermost (inlined) function first; never empty.
    pub names: Vec<Name>,
}

/// One function at one place in its source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Name {
    /// Demangled path, without the compiler's hash.
    pub function: String,
    /// Source file as the debug information names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}
