//! What a source of names has to do: tell what stands at addresses of a module.

use std::collections::BTreeMap;

use heaptide_format::{Module, ModuleOffset, Name};

use super::problem::Problem;

/// Something that knows names of addresses.
pub trait Resolve {
    /// Names of return addresses in a module, as far as they are known. `offsets` are sorted and
    /// stand as in frames: the call itself lies before them.
    fn resolve(&mut self, module: &Module, offsets: &[ModuleOffset]) -> Resolved;
}

/// What a resolver found out about one module.
#[derive(Clone, Debug, Default)]
pub struct Resolved {
    /// Innermost inlined function first, never empty; unknown offsets are left out.
    pub names: BTreeMap<ModuleOffset, Vec<Name>>,
    /// Why names or lines are missing, if a person can do something about it.
    pub problem: Option<Problem>,
}

/// A resolver that opens no file: only names that stand in the recording are used.
#[derive(Clone, Copy, Debug, Default)]
pub struct RecordedOnly;

impl Resolve for RecordedOnly {
    fn resolve(&mut self, _: &Module, _: &[ModuleOffset]) -> Resolved {
        Resolved::default()
    }
}
